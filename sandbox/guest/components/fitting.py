"""Where a preprocessor goes: it is fitted on the training rows of each data set, before any net is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..blame import blamed
from ..harness import Build, component_seed
from ..job import Fault
from ..nets import ARCHITECTURES
from ..tiers import seed_torch
from .testing import words


def widest(inputs: int) -> int:
    """How many outputs a preprocessor may make of so many inputs."""
    return 4 * inputs + 64


def fitted(component: Any, x: Tensor, check: str) -> nn.Module:
    """The component after `fit(x)`, in eval mode. Raises `Fault`, under `check` where fit raises."""
    where = f"fit on {len(x):,} rows of {x.shape[1]} inputs"
    if not callable(getattr(component, "fit", None)):
        raise Fault("fit", "the module has no method `fit(x)`")
    given = x.clone()
    component.train()
    with blamed(check, where):
        component.fit(given)
    if not torch.equal(given, x):
        raise Fault("input modified", "fit changed its input in place; work on a copy (x.clone()) instead")
    fit: nn.Module = component.eval()
    return fit


@torch.no_grad()
def transformed(component: nn.Module, x: Tensor, check: str) -> Tensor:
    """[m, k] of x [m, d]. Raises `Fault` with `check` where forward raises, or type, dtype, shape, width."""
    given = x.clone()
    with blamed(check, f"forward on {len(x):,} rows of {x.shape[1]} inputs"):
        made = component(given)
    if not isinstance(made, Tensor):
        raise Fault("type", f"forward returned {words(made)}; it must return one tensor")
    if made.ndim != 2 or len(made) != len(x):
        raise Fault("shape", f"forward made {list(made.shape)} of {list(x.shape)}; it must be [{len(x)}, outputs]")
    if made.dtype != torch.float32:
        raise Fault("dtype", f"forward returned a tensor of {made.dtype}; it must be float32")
    if not 1 <= made.shape[1] <= widest(x.shape[1]):
        limit = f"between 1 and 4 d + 64 = {widest(x.shape[1])} are allowed"
        raise Fault("width", f"it makes {made.shape[1]} outputs of d = {x.shape[1]} inputs; {limit}")
    if not torch.equal(given, x):
        raise Fault("input modified", "forward changed its input in place; work on a copy (x.clone()) instead")
    return made.detach()


@dataclass(frozen=True, slots=True)
class _Table:
    """A data set as one fitted preprocessor shows it."""

    rows: Tensor  # [n, k], training
    held_out: Tensor  # [m, k]
    targets: Tensor  # [n]


def prepare(build: Build, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The pack with the rows that the preprocessor makes, and first weights for as many inputs as there are then.

    Fitted once for each (data set, seed) on the training rows alone, with the trial's own seed; only once for each data
    set where nothing is drawn. On the CPU, whatever the device: what is fitted must not depend on it.
    """
    device = tensors["rows"].device
    pack = {name: tensor.cpu() for name, tensor in tensors.items()}
    tables, table_of = _tables(build, pack)
    width = max(table.rows.shape[1] for table in tables)
    widths = torch.tensor([table.rows.shape[1] for table in tables])[table_of]
    changed = {
        "rows": torch.cat([_padded(table.rows, width) for table in tables]),
        "held_out": torch.cat([_padded(table.held_out, width) for table in tables]),
        "targets": torch.cat([table.targets for table in tables]),
        "inputs": widths.to(pack["inputs"].dtype),
        **_first_weights(pack, widths.tolist(), width),
    }
    for positions, starts, lengths in (
        ("order", "rows_of", [len(table.rows) for table in tables]),
        ("asked", "held_out_of", [len(table.held_out) for table in tables]),
    ):
        begins = torch.tensor([0, *lengths]).cumsum(0)
        moved = begins[table_of] - pack[starts][pack["dataset"]]
        changed[positions] = pack[positions] + moved[:, None]
    return tensors | {name: tensor.to(device) for name, tensor in changed.items()}


def _tables(build: Build, pack: Mapping[str, Tensor]) -> tuple[list[_Table], Tensor]:
    """The tables, and which of them each replica reads."""
    tables: list[_Table] = []
    shared: dict[int, int] = {}  # by data set, where fitting draws nothing
    table_of = []
    for replica, dataset in enumerate(pack["dataset"].tolist()):
        if dataset not in shared:
            table, drew = _table(build, pack, replica, dataset)
            tables.append(table)
            if not drew:
                shared[dataset] = len(tables) - 1
        table_of.append(shared.get(dataset, len(tables) - 1))
    return tables, torch.tensor(table_of)


def _table(build: Build, pack: Mapping[str, Tensor], replica: int, dataset: int) -> tuple[_Table, bool]:
    """The data set as this replica's preprocessor shows it, and whether anything was drawn for it."""
    training, held_out = (slice(*pack[name][dataset : dataset + 2].tolist()) for name in ("rows_of", "held_out_of"))
    inputs = int(pack["inputs"][replica])
    seed_torch(component_seed(int(pack["seeds"][replica]), 0))
    before = torch.default_generator.get_state()
    rows = pack["rows"][training, :inputs]
    component = fitted(build(), rows, "training")
    made = [transformed(component, x, "training") for x in (rows, pack["held_out"][held_out, :inputs])]
    if made[0].shape[1] != made[1].shape[1]:
        widths = f"{made[0].shape[1]} outputs of the training rows, {made[1].shape[1]} of others"
        raise Fault("width", f"it makes {widths}; their number must not change after fit")
    drew = not torch.equal(before, torch.default_generator.get_state())
    return _Table(made[0], made[1], pack["targets"][training]), drew


def _padded(rows: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(rows, (0, width - rows.shape[1]))


def _first_weights(pack: Mapping[str, Tensor], widths: list[int], width: int) -> dict[str, Tensor]:
    """[r, width, outputs], uniform within 1/sqrt(replica's width), zero on the padding.

    Drawn row by row from the trial's seed: arms of different widths start alike in the rows that both have.
    """
    weights = {}
    for number, name in enumerate(f"{architecture}.0" for architecture in ARCHITECTURES):
        if name in pack:
            replicas, _, outputs = pack[name].shape
            weights[name] = torch.zeros(replicas, width, outputs)
            for replica, own in enumerate(widths[:replicas]):
                generator = torch.Generator().manual_seed(component_seed(int(pack["seeds"][replica]), 1 + number))
                drawn = torch.rand((own, outputs), generator=generator) * 2 - 1
                weights[name][replica, :own] = drawn / own**0.5
    return weights
