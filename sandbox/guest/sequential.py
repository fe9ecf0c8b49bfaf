"""What train.py does, in plain PyTorch: one replica after the other, ordinary modules and `torch.optim`.

The definition of right that the stack is held to, and the peer that its speed is compared with. Same job, same reply.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .adam import BETAS, EPSILON
from .alone import NETS, Training
from .blame import blamed
from .candidate import load
from .components.kind import Kind
from .components.kinds import KINDS
from .harness import Build
from .job import Array, Job, Reply
from .nets import ARCHITECTURES
from .tiers import Tier, seed_torch
from .train import seed_everything, tensors_of


def train_sequential(job: Job) -> Reply:
    """Same predictions as `train` up to rounding; raises the same faults. In the CPU's memory only."""
    kind = KINDS[job.kind]
    seed_everything(0)
    build = load(job.source, kind)
    pack = {
        name: tensor.numpy() for name, tensor in kind.prepare(build, tensors_of(job.pack, torch.device("cpu"))).items()
    }
    arrays: dict[str, Array] = {}
    for name in job.options["architectures"]:
        replicas = len(pack[f"{name}.0"])
        with blamed("training", f"training of {name}"):
            one_by_one = [
                _train_one(_training(pack, job.options, name, replica, factor, build, kind), pack, job.options, replica)
                for factor in job.options["factors"]
                for replica in range(replicas)
            ]
        arrays[name] = np.ascontiguousarray(np.stack(one_by_one, 1), dtype=np.float32)
    return Reply(values={"tier": Tier.LOOP}, arrays=arrays)


def _training(
    pack: dict[str, Array], options: Any, name: str, replica: int, factor: float, build: Build, kind: Kind
) -> Training:
    shapes = ARCHITECTURES[name].hidden(options["width"])
    hidden = [torch.zeros(pack["order"].shape[-1], *features) for features in shapes]
    plain = Training(
        net=NETS[name]([pack[f"{name}.{number}"][replica] for number in range(2 * len(ARCHITECTURES[name].maps(4)))]),
        seed=int(pack["seeds"][replica]),
        hidden=hidden,
        inputs=int(pack["inputs"][replica]),
        classes=int(pack["classes"][replica]),
        steps=len(pack["order"]),
        factor=factor,
        base_rate=options["learning_rate"],
        rate=options["learning_rate"] * factor,
    )
    training = kind.alone(build, plain)
    training.net.activations = training.activations or [nn.ReLU() for _ in hidden]
    return training


def _train_one(training: Training, pack: dict[str, Array], options: Any, replica: int) -> Array:
    net, asked = training.net, pack["asked"][:, replica]
    parameters, own = list(net.parameters()), [p for p in training.learnable if p.requires_grad]
    optimizer = training.optimizer(parameters, training.rate)
    learning = torch.optim.Adam(own, training.base_rate, BETAS, EPSILON) if own else None
    rates: list[Any] = [group.get("lr") for group in optimizer.param_groups]
    seed_torch(0)
    predictions: list[Tensor] = []
    for step, rows in enumerate(pack["order"][:, replica]):
        targets = torch.tensor(pack["targets"][rows])
        logits, hidden = net(training.batch(torch.tensor(pack["rows"][rows])))
        try:
            loss = _loss(training, logits, targets)
            if training.penalty:
                loss = loss + training.penalty(net, hidden)
            net.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            training.gradients(net)
            if training.multiplier:
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * training.multiplier(step)
            optimizer.step()
        except Exception:
            if all(tensor.isfinite().all() for tensor in (*parameters, *own, *hidden)):
                raise
            return np.full((*asked.shape, 10), np.nan)
        if learning:
            learning.step()
            learning.zero_grad()
        if step + 1 in options["checkpoints"]:
            predictions.append(_predict(training, torch.tensor(pack["held_out"][asked[len(predictions)]])))
    return torch.stack(predictions).numpy()


def _loss(training: Training, logits: Tensor, targets: Tensor) -> Tensor:
    if training.classes:
        return training.classify(logits[:, : training.classes], targets.long())
    return F.mse_loss(logits[:, 0], targets)


@torch.no_grad()
def _predict(training: Training, rows: Tensor) -> Tensor:
    for module in training.modules:
        module.eval()
    outputs: Tensor = training.net(rows)[0]
    for module in training.modules:
        module.train()
    return outputs
