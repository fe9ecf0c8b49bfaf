"""The guest's side of a split job: it builds the candidate's harness and answers what the trusted side asks of it.

It has neither data nor labels nor nets; it is told what a component is told. See remote.py for the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .blame import described
from .bridge import Bridge, form, forms_of, spelled
from .candidate import load
from .components.fitting import transformed
from .components.kinds import KINDS
from .fork import confession
from .harness import Build, Frame, Harness, HiddenLayers, layers_of
from .job import Fault, Job, Reply
from .nets import ARCHITECTURES
from .tiers import PLACES, Refuted, seed_torch
from .train import seed_everything

Answer = tuple[dict[str, Any], Sequence[Tensor]]
NOTHING: Answer = ({}, ())
TIERS = {shape: tier for tier, shape in PLACES.items()}

CALLS: dict[str, Callable[[Harness, int, list[Tensor]], Tensor | None]] = {
    "batch": lambda harness, _, given: harness.batch(*given),
    "activate": lambda harness, layer, given: harness.activate(layer, *given),
    "classify": lambda harness, _, given: harness.classify(*given),
    "penalty": lambda harness, count, given: harness.penalty(given[:count], given[count:]),
}


def serve(job: Job) -> Reply:
    """Until the other side is gone."""
    if job.bridge is None:
        raise ValueError("this action answers for the guest of a split job; make the task with `split=True`")
    guest = _Guest(job, job.bridge)
    while True:
        request = job.bridge.receive()
        forms = forms_of(request["given"])
        try:
            answer, tensors = guest.answers[request["what"]](request, job.bridge.look(forms))
            job.bridge.put(tensors, request["end"])
        except BaseException as error:  # noqa: BLE001 - whatever the candidate raises is its answer
            answer = {"raised": relayed(error)}
        job.bridge.send({"turn": request["turn"], **answer})


def relayed(error: BaseException) -> dict[str, str]:
    """What was raised, in words: a check with its reason, a limit, or the type and text of anything else."""
    if isinstance(error, Refuted):
        return {"check": "refuted"}
    told: dict[str, str] = confession(error)
    if told["check"] != "error":
        return told
    kind, _, text = described(error).partition(": ")
    return {"type": kind, "reason": text}


class _Guest:
    def __init__(self, job: Job, bridge: Bridge) -> None:
        self._job = job
        self._bridge = bridge
        self._kind = KINDS[job.kind]
        self._build: Build
        self._component: Any
        self._harness: Harness
        self._update: Any
        self._parameters: list[Tensor]
        self._kept: dict[int, tuple[Tensor, list[Tensor]]] = {}  # by call: its result, and what gradients are asked of
        self._returning = False  # whether the last call was a backward one
        self.answers: dict[str, Callable[[dict[str, Any], list[Tensor]], Answer]] = {
            "load": self._load,
            "build": self._built,
            "mode": self._mode,
            "fit": self._fit,
            "transform": self._transform,
            "harness": self._placed,
            "initial": lambda request, given: ({}, self._harness.initial()),
            "learnable": self._learn,
            "call": self._call,
            "backward": self._backward,
            "train": self._train,
            "multiplier": lambda request, given: ({"value": self._harness.multiplier(request["step"])}, ()),
            "update": self._made_update,
            "step": self._step,
        }

    # --- a component that is prepared with (see fitting.py)

    def _load(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        seed_everything(0)
        self._build = load(self._job.source, self._kind)
        return NOTHING

    def _built(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        seed_torch(request["seed"])
        with torch.set_grad_enabled(request["grad"]):
            drew, self._component = _watched(self._build)
        return {"drew": drew}, ()

    def _mode(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        self._component.train(request["training"])
        return NOTHING

    def _fit(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        if not callable(getattr(self._component, "fit", None)):
            raise Fault("fit", "the module has no method `fit(x)`")
        with torch.set_grad_enabled(request["grad"]):
            drew, _ = _watched(lambda: self._component.fit(given[0].clone()))
        return {"drew": drew}, ()

    def _transform(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        drew, made = _watched(lambda: transformed(self._component, given[0].clone(), "training"))
        return {"drew": drew, "width": made.shape[1]}, [made]

    # --- a harness

    def _placed(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        words: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in request["frame"].items()
        }
        device = torch.device(words.pop("device"))
        words["nets"] = tuple(ARCHITECTURES[name] for name in words["nets"])
        layers = tuple(layers_of(words["nets"], words["counts"], words["width"]))
        frame = Frame(layers=layers, parameters=[tensor.to(device, copy=True) for tensor in given], **words)
        self._kept.clear()
        self._harness = harness = self._kind.harness(self._build, frame)
        seed_everything(0)
        answer: dict[str, Any] = {"tier": harness.tier, "learnable": spelled(map(form, harness.learnable))}
        if isinstance(harness, HiddenLayers):
            answer["places"] = [[TIERS[type(place)], len(place.learnable)] for place in harness._places]
        return answer, harness.learnable

    def _train(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        self._harness.train(request["training"])
        return NOTHING

    @torch.no_grad()
    def _learn(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        for own, sent in zip(self._harness.learnable, given, strict=True):
            own.copy_(sent)
        return NOTHING

    def _call(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        if self._returning:
            self._kept.clear()  # calls of an earlier step that nothing came back to
            self._returning = False
        device = self._harness.frame.device
        with torch.set_grad_enabled(request["grad"]):
            leaves = [
                tensor.detach().requires_grad_(needed) for tensor, needed in zip(given, request["needs"], strict=True)
            ]
            # Copies: the memory is used again, and what a component gets in a net is no leaf.
            copies = [leaf.clone() if leaf.device == device else leaf.to(device) for leaf in leaves]
            found = CALLS[request["hook"]](self._harness, request["argument"], copies)
            if found is None:
                return {"none": True}, ()
            shape = tuple(request["wanted"])
            if tuple(found.shape) != shape:
                raise Fault("training", f"it made {list(found.shape)} where {list(shape)} is expected")
            found = found.to(torch.float32)
        if not found.requires_grad:
            return {}, [found]
        first, last = request["learnable"]
        asked = [leaf for leaf in leaves if leaf.requires_grad]
        self._kept[request["turn"]] = found, asked + self._harness.learnable[first:last]
        return {"attached": True, "call": request["turn"]}, [found]

    def _backward(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        self._returning = True
        found, asked = self._kept.pop(request["call"])
        gradients = torch.autograd.grad(found, asked, given[0].to(found.device, copy=True), allow_unused=True)
        there = [gradient is not None for gradient in gradients]
        return {"there": there}, [gradient for gradient in gradients if gradient is not None]

    # --- an optimizer

    def _made_update(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        device = self._harness.frame.device
        self._parameters = [tensor.to(device, copy=True).requires_grad_() for tensor in given]
        self._update = self._harness.update(self._parameters)
        return NOTHING

    @torch.no_grad()
    def _step(self, request: dict[str, Any], given: list[Tensor]) -> Answer:
        device = self._harness.frame.device
        self._update.step([tensor.to(device, copy=True) for tensor in given], request["multiplier"])
        return {}, self._parameters


def _watched(run: Callable[[], Any]) -> tuple[bool, Any]:
    """Whether something was drawn from torch's generator, and what `run` returned."""
    before = torch.default_generator.get_state()
    result = run()
    return not torch.equal(before, torch.default_generator.get_state()), result
