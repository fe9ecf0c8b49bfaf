"""The blend test: a candidate and the best baseline in one component, mixed by a gate that is learned in each layer.

y = g f(x) + (1 - g) b(x) with g = sigmoid(a), a = 0 at the start. Where the gate ends says which of the two training
prefers, with the other at hand in the same net. The mix is one module of source, so that it takes the candidate's own
path: each of the two sources is executed in a module of its own inside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from engine.score import Estimate

MIXED = frozenset({"activation"})  # the kinds where a weighted sum of two components is a component
TEMPLATE = '''\
"""A candidate and a baseline, mixed by a gate that is learned."""
import sys
import types

import torch
from torch import nn


def _load(name, source):
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, f"<{{name}}>", "exec"), module.__dict__)
    return module.build


_candidate = _load("mixed_candidate", {candidate!r})
_baseline = _load("mixed_baseline", {baseline!r})


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.tensor(0.0))
        self.candidate, self.baseline = _candidate(), _baseline()

    def forward(self, x):
        share = torch.sigmoid(self.gate)
        return share * self.candidate(x) + (1 - share) * self.baseline(x)


def build():
    return Mixed()
'''


def mixed(candidate: bytes, baseline: bytes) -> bytes:
    """The source of the mix. Its gate is the first of its learnable parameters."""
    return TEMPLATE.format(candidate=candidate, baseline=baseline).encode()


def share_of(gates: Sequence[Sequence[float]], seeds: int) -> Estimate | None:
    """The candidate's mean share over layers and nets, with its 90 % interval over seeds; None where it is not known.

    `gates` holds the final gate of each layer in each replica, the replicas' seeds in turns. One seed is one cluster.
    """
    whole = [layer for layer in gates if layer and len(layer) % seeds == 0]
    if not whole or seeds < 2:
        return None
    shares = [1 / (1 + np.exp(-np.array(layer, np.float64).reshape(-1, seeds))) for layer in whole]
    by_seed = np.concatenate(shares).mean(0)
    if not np.isfinite(by_seed).all():
        return None
    value = float(by_seed.mean())
    half = float(student.ppf(0.95, seeds - 1) * by_seed.std(ddof=1) / seeds**0.5)
    return Estimate(value=value, low=max(0.0, value - half), high=min(1.0, value + half))
