"""Train a team's own model in plain PyTorch, one seed after the other, and predict the held-out rows.

The team's module is unreviewed code, like the candidate, and runs only here. The labels of the held-out rows are not
here: the reply is predictions, and the host scores them.

The pack (made by engine/own/suite.py):
    model [bytes]                      the source of the team's module
    rows [n, ...], held_out [m, ...]   float32 or int64, as the model gets them
    targets [n]                        a class number or a value
The options: device, steps, batch, learning_rate, checkpoints (numbers of steps done), classes (0: a regression),
seeds, factors (of the kind's grid).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .adam import BETAS, EPSILON
from .alone import Training
from .blame import MODEL_FILE, blamed
from .candidate import load, run_module
from .components.kind import Kind
from .components.kinds import KINDS
from .components.testing import words
from .harness import Build
from .job import Array, Fault, Job, Reply
from .own_net import PLACES, OwnNet, Places
from .tiers import Tier, seed_torch
from .train import seed_everything, tensors_of

MakeModel = Callable[[Places], Any]
PREPARES = "preprocessor"  # the kind that is fitted to the rows before training


def train_own(job: Job) -> Reply:
    """Predictions {"predictions": float32 [checkpoints, factors * seeds, m, classes or 1]}, the first factor first.

    NaN for a seed that diverged. Faults whose check begins with "model" are the team's module's own.
    """
    kind = KINDS[job.kind]
    seed_everything(0)
    make_model = _make_model(job.pack["model"].tobytes())
    seed_everything(0)
    build = load(job.source, kind)
    tensors = tensors_of({n: a for n, a in job.pack.items() if n != "model"}, torch.device(job.options["device"]))
    if kind.name == PREPARES:
        tensors = _prepared(build, tensors)
    started = time.monotonic()
    predictions = []
    for factor, seed in product(job.options["factors"], job.options["seeds"]):
        run = _Run.of(kind, build, make_model, tensors, job.options, seed, factor)
        with blamed("training", "training"):
            predictions.append(run.predictions())
    return Reply(
        values={
            "tier": Tier.LOOP,
            "places": run.places.calls,
            "parameters": sum(parameter.numel() for parameter in run.training.net.parameters()),
            "seconds": time.monotonic() - started,
        },
        arrays={"predictions": np.ascontiguousarray(np.stack(predictions, 1), dtype=np.float32)},
    )


def _make_model(source: bytes) -> MakeModel:
    try:
        module = run_module(source, MODEL_FILE.removesuffix(".py"))
    except Fault as fault:
        raise Fault(f"model {fault.check}", fault.detail.replace("use `math` and `torch` only", ONE_FILE)) from fault
    made = module.__dict__.get("make_model")
    if not callable(made):
        raise Fault("model entry", "it has no function `make_model(component)` at module level")
    checked: MakeModel = made
    return checked


ONE_FILE = "the module is one file that may import torch, numpy and the standard library"


def _prepared(build: Build, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    rows, held_out = tensors["rows"], tensors["held_out"]
    if rows.ndim != 2 or not rows.is_floating_point():
        raise Fault("place", f"a preprocessor needs a table of numbers, and the model's data is {words(rows)}")
    component = build()
    with blamed("training", "fit(x)"), torch.no_grad():
        component.fit(rows.clone())
    component.eval()
    with blamed("training", "forward(x)"), torch.no_grad():
        return {**tensors, "rows": component(rows.clone()), "held_out": component(held_out.clone())}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One seed with one factor of the grid."""

    training: Training
    places: Places
    tensors: Mapping[str, Tensor]
    options: Mapping[str, Any]

    @staticmethod
    def of(
        kind: Kind,
        build: Build,
        make_model: MakeModel,
        tensors: Mapping[str, Tensor],
        options: Mapping[str, Any],
        seed: int,
        factor: float,
    ) -> _Run:
        seed_everything(seed % (1 << 32))
        seed_torch(seed)
        places = Places(kind, build, seed)
        with blamed("model build", "make_model(component)"):
            model = make_model(places)
        if not isinstance(model, nn.Module):
            raise Fault(
                "model build", f"make_model(component) returned {words(model)}; it must return a torch.nn.Module"
            )
        net = OwnNet(model.to(tensors["rows"].device), places)
        plain = Training(
            net=net,
            seed=seed,
            hidden=_settled(net, tensors["rows"][: options["batch"]], options["classes"], kind),
            inputs=tensors["rows"][0].numel(),
            classes=options["classes"],
            steps=options["steps"],
            factor=factor,
            base_rate=options["learning_rate"],
            rate=options["learning_rate"] * factor,
            optimizer=_adam,
        )
        return _Run(training=_placed(kind, build, plain), places=places, tensors=tensors, options=options)

    def predictions(self) -> Array:
        """[checkpoints, m, classes or 1]"""
        training, options = self.training, self.options
        parameters, own = list(training.net.parameters()), [p for p in training.learnable if p.requires_grad]
        optimizer = training.optimizer(parameters, training.rate)
        learning = _adam(own, training.base_rate) if own else None
        rates: list[Any] = [group.get("lr") for group in optimizer.param_groups]
        predictions: list[Tensor] = []
        self._train_mode(True)
        for step, rows in enumerate(_order(len(self.tensors["rows"]), options, training.seed)):
            seed_torch(training.seed + step)  # dropout and the like: what one arm draws must not shift another's
            try:
                loss = self._loss(rows)
                training.net.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                if training.multiplier:
                    for group, rate in zip(optimizer.param_groups, rates, strict=True):
                        group["lr"] = rate * training.multiplier(step)
                optimizer.step()
            except Exception:
                if all(tensor.isfinite().all() for tensor in (*parameters, *own)):
                    raise
                return self._lost()
            if learning:
                learning.step()
                learning.zero_grad()
            if step + 1 in options["checkpoints"]:
                predictions.append(self._predict())
        return torch.stack(predictions).cpu().numpy()

    def _loss(self, rows: Tensor) -> Tensor:
        training, targets = self.training, self.tensors["targets"][rows]
        raw, hidden = training.net(_augmented(training, self.tensors["rows"][rows]))
        outputs = _outputs(raw, len(rows), training.classes)
        loss = training.classify(outputs, targets.long()) if training.classes else F.mse_loss(outputs[:, 0], targets)
        if training.penalty:
            loss = loss + training.penalty(training.net, hidden)
        return loss

    @torch.no_grad()
    def _predict(self) -> Tensor:
        self._train_mode(False)
        held_out, batch = self.tensors["held_out"], max(256, self.options["batch"])
        parts = [held_out[start : start + batch] for start in range(0, len(held_out), batch)]
        found = [_outputs(self.training.net(part)[0], len(part), self.training.classes) for part in parts]
        self._train_mode(True)
        return torch.cat(found)

    def _train_mode(self, training: bool) -> None:
        for module in (self.training.net, *self.training.modules):
            module.train(training)

    def _lost(self) -> Array:
        shape = (len(self.options["checkpoints"]), len(self.tensors["held_out"]), self.training.classes or 1)
        return np.full(shape, np.nan)


def _adam(parameters: Iterable[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr, BETAS, EPSILON, fused=True)  # a third of the time of a small model's step


def _settled(net: OwnNet, x: Tensor, classes: int, kind: Kind) -> list[Tensor]:
    """Check what the model returns, give lazy layers their shapes; returns its hidden layers, as zeros."""
    net.eval()
    check = "model output" if kind.name not in PLACES and kind.name != PREPARES else "training"
    with blamed(check, f"the model, given {words(x)},"), torch.no_grad():
        raw, hidden = net(x)
    try:
        _outputs(raw, len(x), classes)
    except Fault as fault:
        raise Fault(check, fault.detail) from fault
    net.train()
    return [torch.zeros_like(one) for one in hidden]


def _placed(kind: Kind, build: Build, plain: Training) -> Training:
    """The component in its place in the training; those of PLACES and a preprocessor are in theirs already."""
    if kind.name in PLACES or kind.name == PREPARES:
        return plain
    if plain.classes == 0 and not kind.conditions.regression:
        raise Fault("place", f"{kind.plural} are tried on classifications only, and this data is a regression")
    training = kind.alone(build, plain)
    if training.activations:
        raise Fault("place", f"{kind.plural} have no place in a team's own model")
    return training


def _augmented(training: Training, x: Tensor) -> Tensor:
    """What changes the training rows sees them as [batch, inputs]; numbers that stand for words it does not see."""
    return training.batch(x.flatten(1)).view(x.shape) if x.is_floating_point() else x


def _order(rows: int, options: Mapping[str, Any], seed: int) -> Tensor:
    """[steps, batch]: which rows each step sees, passing through all before any comes again."""
    rng, wanted = np.random.default_rng(seed), options["steps"] * options["batch"]
    passes = np.concatenate([rng.permutation(rows) for _ in range(-(-wanted // rows))])
    return torch.from_numpy(passes[:wanted].reshape(options["steps"], options["batch"]))


def _outputs(raw: Any, rows: int, classes: int) -> Tensor:
    """As [rows, classes or 1]. One output for two classes is the logit of the second."""
    wanted = f"[{rows}, {classes}], one logit a class" if classes else f"[{rows}] or [{rows}, 1], one value a row"
    if not isinstance(raw, Tensor) or not raw.is_floating_point():
        raise Fault("model output", f"the model returned {words(raw)} for {rows} rows; it must return {wanted}")
    if raw.shape == (rows, classes or 1):
        return raw
    if raw.shape in ((rows,), (rows, 1)) and classes in (0, 2):
        one = raw.reshape(rows, 1)
        return torch.cat([torch.zeros_like(one), one], 1) if classes else one
    raise Fault("model output", f"the model returned {words(raw)} for {rows} rows; it must return {wanted}")
