"""The trusted side of a split job: the component's hooks, answered by another process.

This process holds data, labels, nets, loss, optimizer and clock, and never runs the candidate's code; the guest (see
hooks.py) builds the kind's real harness and answers what the component has to say. Shapes are those that are expected
here, numbers are copied out before they are used, and whatever else the guest says is checked or is data.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from .adam import Update
from .bridge import Bridge, Form, form, forms_of, layout, spelled
from .components.fitting import widest
from .components.kind import Kind
from .harness import Frame, Harness, HiddenLayers
from .job import Fault
from .protocol import Malformed
from .tiers import PLACES, Placed, Refuted, Tier

FLOAT = torch.float32
LARGEST_MULTIPLIER = 10.0  # as the contract of schedules says
DEATH_SECONDS = 2.0  # for the fork server to see how the guest has died

# What a kind's harness asks its component. `update` is asked only where it is all that the kind overrides: a kind with
# another place may still change the grid's part in our own update, as penalties do.
ASKED = ("initial", "batch", "activate", "classify", "penalty", "multiplier", "train")


class Remote:
    """The guest, as `train` sees it."""

    def __init__(self, bridge: Bridge, kind: Kind) -> None:
        """Raises `Fault` when the candidate cannot be loaded."""
        self._bridge = bridge
        self._kind = kind
        self._turn = 0
        self.ask("load")

    def ask(self, what: str, given: Sequence[Tensor] = (), **words: Any) -> tuple[dict[str, Any], int]:
        """The guest's answer, and where in the shared memory its tensors begin. Raises what the guest relayed."""
        self._turn += 1
        try:
            end = self._bridge.put(given)
        except ValueError as error:
            raise Fault("split", str(error)) from error
        request = {"turn": self._turn, "what": what, "given": spelled(map(form, given)), "end": end, **words}
        try:
            self._bridge.send(request)
            answer = self._bridge.receive()
        except Malformed as malformed:
            raise _malformed(str(malformed)) from malformed
        except (EOFError, OSError):
            time.sleep(DEATH_SECONDS)  # the fork server ends this process as well, and says how the guest died
            os._exit(1)
        if answer.get("turn") != self._turn:
            raise _malformed("it answered what it was not asked")
        if "raised" in answer:
            _raise(answer["raised"])
        return answer, end

    def take(self, forms: Sequence[Form], start: int) -> list[Tensor]:
        try:
            return self._bridge.take(forms, start)
        except ValueError as error:
            raise Fault("split", str(error)) from error

    def build(self, *arguments: Any) -> RemoteComponent:
        """For `prepare`, which is handed a `build`: the component it makes stays in the guest."""
        if arguments:
            raise TypeError("only a component that is built without arguments can be prepared in split process")
        return RemoteComponent(self)

    def harness(self, frame: Frame) -> Harness:
        """The kind's harness with those of its hooks answered by the guest that the component is asked in."""
        kind = self._kind.harness
        if not isinstance(kind, type) or not issubclass(kind, Harness):
            raise TypeError(f"the harness of {self._kind.plural} is not a class, so it cannot be split")
        asked = [name for name in ASKED if getattr(kind, name) is not getattr(Harness, name)]
        if not asked and kind.update is not Harness.update:
            asked = ["update"]
        if not asked:
            return Harness(self.build, frame)
        hooks = {name: getattr(_Hooks, name) for name in asked}
        if "update" not in asked:
            hooks["update"] = _followed(kind)
        remote: Any = type(f"Remote{kind.__name__}", (Answered, kind), {**hooks, "__init__": _Hooks.__init__})
        harness: Harness = remote(self, frame)
        return harness


class Answered:
    """Marks a harness whose component answers from another process: its steps cannot be recorded on a GPU."""


class _Hooks(Harness):
    """Methods that are taken over one by one into a subclass of a kind's own harness."""

    def __init__(self, remote: Remote, frame: Frame) -> None:
        self.frame = frame
        self._remote = remote
        self._sent = True  # whether the guest has the learnable tensors as they are
        words = {
            "nets": [net.name for net in frame.nets],
            "device": str(frame.device),
            **{name: getattr(frame, name) for name in ("counts", "width", "batch", "steps", "rate", "seeds")},
            **{name: getattr(frame, name) for name in ("factors", "inputs", "classes", "careful")},
        }
        answer, start = remote.ask("harness", frame.parameters, frame=words)
        self.tier = _tier(answer.get("tier"))
        taken = _sized(remote, answer.get("learnable"), start)
        self.learnable = [tensor.to(frame.device).requires_grad_() for tensor in taken]
        if isinstance(self, HiddenLayers):
            self._places = _shadows(answer.get("places"), self.learnable, frame)

    def initial(self) -> list[Tensor]:
        return _same(self._remote, "initial", self.frame.parameters)

    def batch(self, x: Tensor) -> Tensor:
        return _answered(self, "batch", [x], form(x))

    def activate(self, layer: int, x: Tensor) -> Tensor:
        return _answered(self, "activate", [x], form(x), number=layer)

    def classify(self, logits: Tensor, classes: Tensor) -> Tensor:
        return _answered(self, "classify", [logits, classes], (FLOAT, ()))

    def penalty(self, parameters: Sequence[Tensor], hidden: Sequence[Tensor]) -> Tensor | None:
        wanted = FLOAT, (len(self.frame.seeds),)
        return _called(self, "penalty", [*parameters, *hidden], wanted, number=len(parameters))

    def update(self, parameters: list[Tensor]) -> Update:
        return _RemoteUpdate(self._remote, parameters)

    def multiplier(self, step: int) -> float:
        answer, _ = self._remote.ask("multiplier", step=step)
        value = answer.get("value")
        if not isinstance(value, int | float) or not 0 <= value <= LARGEST_MULTIPLIER:  # false for NaN
            raise _malformed(f"its multiplier is {str(value)[:20]}; it must be between 0 and {LARGEST_MULTIPLIER:g}")
        return float(value)

    def train(self, training: bool) -> None:
        self._remote.ask("train", training=training)


class _RemoteUpdate:
    """The component is the optimizer: it is told gradients and tells parameters."""

    def __init__(self, remote: Remote, parameters: Sequence[Tensor]) -> None:
        self._remote = remote
        self._parameters = [parameter.detach() for parameter in parameters]
        remote.ask("update", self._parameters)

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        moved = _same(self._remote, "step", gradients, multiplier=multiplier)
        for parameter, value in zip(self._parameters, moved, strict=True):
            parameter.copy_(value)


def _followed(kind: type[Harness]) -> Callable[..., Update]:
    """The kind's own update, which is ours; after each step the guest is to be sent what is learnable."""

    def update(self: Any, parameters: list[Tensor]) -> Update:
        return _Followed(kind.update(self, parameters), self)

    return update


class _Followed:
    def __init__(self, update: Update, harness: Any) -> None:
        self._update = update
        self._harness = harness

    def step(self, gradients: Sequence[Tensor], multiplier: float) -> None:
        self._update.step(gradients, multiplier)
        self._harness._sent = not self._harness.learnable


class RemoteComponent:
    """A preprocessor in the guest, with what `prepare` does to one. It is built with the seed that torch has here."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._ask("build", seed=torch.initial_seed())

    def _ask(self, what: str, *given: Tensor, **words: Any) -> tuple[dict[str, Any], int]:
        answer, start = self._remote.ask(what, given, grad=torch.is_grad_enabled(), **words)
        if answer.get("drew"):
            torch.rand(1)  # so that whoever looks at the generator here sees that something was drawn
        return answer, start

    def train(self, training: bool = True) -> RemoteComponent:
        self._ask("mode", training=training)
        return self

    def eval(self) -> RemoteComponent:
        return self.train(False)

    def fit(self, x: Tensor) -> None:
        self._ask("fit", x)

    def __call__(self, x: Tensor) -> Tensor:
        answer, start = self._ask("transform", x)
        width = answer.get("width")
        if type(width) is not int or not 1 <= width <= widest(x.shape[1]):
            raise Fault("width", f"it makes {str(width)[:20]} outputs of {x.shape[1]} inputs")
        (made,) = self._remote.take([(FLOAT, (len(x), width))], start)
        return made


# --- calls that gradients flow through


class _Call(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, found: list[Tensor], ask: Callable[[Tensor], list[Tensor | None]], *inputs: Tensor) -> Tensor:
        ctx.ask = ask
        return found[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return None, None, *ctx.ask(gradients[0])


def _called(harness: Any, hook: str, given: Sequence[Tensor], wanted: Form, number: int = 0) -> Tensor | None:
    """The hook's answer, None where it has none; backward is another question."""
    remote: Remote = harness._remote
    if not harness._sent:
        remote.ask("learnable", harness.learnable)
        harness._sent = True
    grad = torch.is_grad_enabled()
    needs = [grad and tensor.requires_grad for tensor in given]
    first, last = _used(harness, hook, number)
    answer, start = remote.ask(
        "call", given, hook=hook, argument=number, grad=grad, needs=needs, learnable=[first, last], wanted=[*wanted[1]]
    )
    if answer.get("none"):
        return None
    found = [tensor.to(given[0].device) for tensor in remote.take([wanted], start)]
    if not grad or not answer.get("attached"):
        return found[0]
    call, inputs = answer.get("call"), [*given, *harness.learnable[first:last]]

    def ask(gradient: Tensor) -> list[Tensor | None]:
        return _gradients(remote, call, gradient, inputs)

    result: Tensor = _Call.apply(found, ask, *inputs)  # type: ignore[no-untyped-call]
    return result


def _answered(harness: Any, hook: str, given: Sequence[Tensor], wanted: Form, number: int = 0) -> Tensor:
    found = _called(harness, hook, given, wanted, number)
    if found is None:
        raise _malformed("it has no answer where one is expected")
    return found


def _used(harness: Any, hook: str, layer: int) -> tuple[int, int]:
    """Which of the learnable tensors the call may use."""
    if hook != "activate" or not isinstance(harness, HiddenLayers):
        return 0, len(harness.learnable)
    first = sum(len(place.learnable) for place in harness._places[:layer])
    return first, first + len(harness._places[layer].learnable)


def _gradients(remote: Remote, call: Any, gradient: Tensor, inputs: Sequence[Tensor]) -> list[Tensor | None]:
    answer, start = remote.ask("backward", [gradient], call=call)
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    there = answer.get("there")
    if not isinstance(there, list) or len(there) != len(wanted):
        raise _malformed("it does not say which gradients there are")
    took = iter(remote.take([form(tensor) for tensor, is_there in zip(wanted, there, strict=True) if is_there], start))
    said = iter(there)
    return [next(took).to(tensor.device) if tensor.requires_grad and next(said) else None for tensor in inputs]


def _same(remote: Remote, what: str, given: Sequence[Tensor], **words: Any) -> list[Tensor]:
    """An answer of as many tensors of the same form as were given, after these."""
    _, start = remote.ask(what, given, **words)
    found = remote.take([form(tensor) for tensor in given], start)
    return [tensor.to(other.device) for tensor, other in zip(found, given, strict=True)]


# --- what the guest says


def _sized(remote: Remote, spelled: Any, start: int) -> list[Tensor]:
    """Tensors whose shapes only the guest can know."""
    try:
        forms = forms_of(spelled)
        layout(forms, start)
    except (Malformed, ValueError) as error:
        raise _malformed(str(error)) from error
    return remote.take(forms, start)


def _shadows(said: Any, learnable: Sequence[Tensor], frame: Frame) -> list[Placed]:
    """How the component lies in each layer, as far as our own arithmetic on its gradients asks (see normalized.py)."""
    if not isinstance(said, list) or len(said) != len(frame.layers):
        raise _malformed("it does not say how the layers are placed")
    found: list[Placed] = []
    start = 0
    for entry, layer in zip(said, frame.layers, strict=True):
        if not isinstance(entry, list) or len(entry) != 2 or type(entry[1]) is not int or entry[1] < 0:
            raise _malformed("it does not say how a layer is placed")
        shape: Any = PLACES[_tier(entry[0])]
        shadow = shape.__new__(shape)
        shadow.learnable = list(learnable[start : start + entry[1]])
        shadow._modules = [None] * len(layer.replicas)
        found.append(shadow)
        start += entry[1]
    if start != len(learnable):
        raise _malformed("its layers have other learnable tensors than it says")
    return found


def _tier(word: Any) -> Tier:
    if not isinstance(word, str) or word not in list(Tier):
        raise _malformed("it does not say how it is batched")
    return Tier(word)


def _malformed(why: str) -> Fault:
    return Fault("reply", f"what its process answered was malformed: {why}")


class Raised(Exception):
    """What the candidate raised in the guest. Its subclasses have the name that the exception had there."""


def _raise(said: Any) -> NoReturn:
    """Raise here what the guest says was raised there (see `hooks.relayed`)."""
    words = [said.get(name) if isinstance(said, dict) else None for name in ("check", "reason", "type")]
    check, reason, kind = (word if isinstance(word, str) else "" for word in words)
    limits: dict[str, BaseException] = {
        "memory limit": MemoryError(),
        "disk limit": OSError(errno.ENOSPC, "disk limit"),
        "process limit": BlockingIOError(errno.EAGAIN, "process limit"),
        "device memory limit": torch.OutOfMemoryError("device memory limit"),
    }
    if check in limits:
        raise limits[check]
    if check == "refuted":
        raise Refuted
    if check:
        raise Fault(check, reason)
    module, _, name = kind.rpartition(".")
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".") if module):
        module, name = "", "Exception"
    raise type(name, (Raised,), {"__module__": module or "builtins"})(reason)
