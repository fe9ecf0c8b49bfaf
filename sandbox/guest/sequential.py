"""What train.py does, in plain PyTorch: one replica after the other, ordinary modules and `torch.optim.Adam`.

The definition of right that the stack is held to, and the peer that its speed is compared with. Same job, same reply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blame import blamed
from .candidate import load
from .components.kinds import KINDS
from .job import Array, Job, Reply
from .nets import ARCHITECTURES
from .slots import Build, component_seed, settle
from .tiers import Tier, seed_torch
from .train import BETAS, EPSILON


def train_sequential(job: Job) -> Reply:
    """Same predictions as `train` up to rounding; raises the same faults. A component in the CPU's memory only."""
    kind = KINDS[job.kind]
    build = load(job.source, kind)
    arrays: dict[str, Array] = {}
    for name in job.options["architectures"]:
        replicas = len(job.pack[f"{name}.0"])
        with blamed("training", f"training of {name}"):
            one_by_one = [_train_one(job, name, replica, build, kind.slot) for replica in range(replicas)]
        arrays[name] = np.ascontiguousarray(np.stack(one_by_one, 1), dtype=np.float32)
    return Reply(values={"tier": Tier.LOOP}, arrays=arrays)


def _train_one(job: Job, name: str, replica: int, build: Build, slot: str) -> Array:
    pack, options = job.pack, job.options
    classifies = replica < len(pack["mask"])
    initial = [pack[f"{name}.{number}"][replica] for number in range(2 * len(ARCHITECTURES[name].maps(4)))]
    shape = pack["order"].shape[-1], options["width"]
    components = _components(build, slot, name, initial, shape, int(pack["seeds"][replica]))
    activations = (
        components if slot == "activation" else [nn.ReLU() for _ in ARCHITECTURES[name].hidden(options["width"])]
    )
    net = NETS[name](initial, activations)
    parameters = [*net.parameters(), *(p for c in components if slot != "activation" for p in c.parameters())]
    adam = torch.optim.Adam([p for p in parameters if p.requires_grad], options["learning_rate"], BETAS, EPSILON)
    mask = torch.tensor(pack["mask"][replica]) if classifies else torch.zeros(())
    seed_torch(0)
    predictions: list[Tensor] = []
    for step, rows in enumerate(pack["order"][:, replica]):
        targets = torch.tensor(pack["targets"][rows])
        logits, hidden = net(torch.tensor(pack["rows"][rows]))
        loss = F.cross_entropy(logits + mask, targets.long()) if classifies else F.mse_loss(logits[:, 0], targets)
        try:
            if slot == "penalty":
                loss = loss + components[0](net.weights(), [h.flatten(1) for h in hidden])
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        except Exception:
            if all(tensor.isfinite().all() for tensor in (*parameters, *hidden)):
                raise
            return np.full((len(options["checkpoints"]), *pack["asked"].shape[2:], 10), np.nan)
        adam.step()
        if step + 1 in options["checkpoints"]:
            with torch.no_grad():
                asked = torch.tensor(pack["held_out"][pack["asked"][len(predictions), replica]])
                predictions.append(net.eval()(asked)[0])
                net.train()
    return torch.stack(predictions).numpy()


def _components(
    build: Build, slot: str, name: str, initial: list[Array], shape: tuple[int, int], trial_seed: int
) -> list[nn.Module]:
    """One for each hidden layer, or one penalty; `shape` is (batch, width)."""
    batch, width = shape
    hidden = [torch.zeros(batch, *features) for features in ARCHITECTURES[name].hidden(width)]
    calls: list[tuple[Any, ...]] = [(h,) for h in hidden]
    if slot == "penalty":
        calls = [([torch.tensor(weight).T for weight in initial[::2]], [h.flatten(1) for h in hidden])]
    components = []
    for layer, arguments in enumerate(calls):
        seed_torch(component_seed(trial_seed, layer))
        components.append(settle(build(), arguments))
    return components


class _Net(nn.Module):
    """Affine maps with given parameters (weight [in, out], bias [1, out], ...) and one activation a hidden layer."""

    KERNELS: tuple[int, ...] = ()  # of the maps that are convolutions, which come first
    STRIDES: tuple[int, ...] = ()

    def __init__(self, initial: Sequence[Array], activations: Sequence[nn.Module]) -> None:
        super().__init__()
        pairs = zip(initial[::2], initial[1::2], self.KERNELS + (0,) * len(initial), strict=False)
        self.maps = [self._map(torch.tensor(weight), torch.tensor(bias), *rest) for weight, bias, *rest in pairs]
        self.activations = list(activations)
        self.registered = nn.ModuleList([*self.maps, *activations])

    def _map(self, weight: Tensor, bias: Tensor, kernel: int) -> nn.Linear | nn.Conv1d:
        rows, columns = weight.shape
        made: nn.Linear | nn.Conv1d = nn.Linear(rows, columns)
        if kernel:
            made = nn.Conv1d(rows // kernel, columns, kernel, self.STRIDES[self.KERNELS.index(kernel)])
            weight = weight.view(kernel, rows // kernel, columns).permute(1, 0, 2).flatten(0, 1)
        made.weight.data = weight.T.reshape(made.weight.shape).contiguous()
        made.bias = nn.Parameter(bias[0])
        return made

    def weights(self) -> list[Tensor]:
        """As [out, in]; of a convolution with the channels of one position side by side."""
        return [m.weight.permute(0, 2, 1).flatten(1) if m.weight.ndim == 3 else m.weight for m in self.maps]


class _Mlp(_Net):
    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        hidden = []
        for layer, activation in enumerate(self.activations):
            x = activation(self.maps[layer](x))
            hidden.append(x)
        return self.maps[-1](x), hidden


class _Residual(_Net):
    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        h, hidden = self.maps[0](x), []
        for block, activation in enumerate(self.activations):
            hidden.append(activation(self.maps[1 + 2 * block](F.layer_norm(h, h.shape[-1:]))))
            h = h + self.maps[2 + 2 * block](hidden[-1])
        return self.maps[-1](F.layer_norm(h, h.shape[-1:])), hidden


class _Convolutional(_Net):
    """Channels first inside the convolutions, features last for the component."""

    KERNELS = (8, 3)
    STRIDES = (4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, hidden = x[:, None], []
        for layer, activation in enumerate(self.activations):
            hidden.append(activation(self.maps[layer](x).mT))
            x = hidden[-1].mT
        return self.maps[-1](hidden[-1].flatten(1)), hidden


NETS: dict[str, Callable[[Sequence[Array], Sequence[nn.Module]], _Net]] = {
    "mlp2": _Mlp,
    "mlp4": _Mlp,
    "res": _Residual,
    "cnn": _Convolutional,
}
