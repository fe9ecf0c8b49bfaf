"""The action `probe`: everything that the host is promised of a candidate, from one call."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.probe import probe

LEARNING = """
import torch
from torch import nn

class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.LazyLinear(1)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.scale * x * torch.sigmoid(self.gate(x))

def build():
    return Gated()
"""


def probed(source: str, kind: str = "activation") -> Reply:
    return probe(Job(action="probe", kind=kind, source=source.encode()))


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_reply_has_the_arrays_and_values_that_were_promised(kind: Kind) -> None:
    reply = probed(kind.known[1].code, kind.name)
    assert {name: array.shape for name, array in reply.arrays.items()} == dict(kind.behaviour)
    assert all(array.dtype == np.float32 and array.flags["C_CONTIGUOUS"] for array in reply.arrays.values())
    assert set(reply.values) == {"parameters", "cost_ratio", "torch"}
    assert json.loads(json.dumps(dict(reply.values))) == dict(reply.values)
    assert (reply.values["cost_ratio"] or 0) > 0 or kind.exercise is None


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_probing_twice_shows_the_same_behaviour(kind: Kind) -> None:
    one, other = (probed(kind.known[-1].code, kind.name).arrays for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_parameters_are_counted_after_lazy_ones_have_their_shapes() -> None:
    assert probed(LEARNING).values["parameters"] == 32 + 1 + 1  # the gate of a 32-feature layer, its bias, the scale


def test_too_many_lazy_parameters_break_the_contract() -> None:
    with pytest.raises(Fault) as caught:
        probed(
            LEARNING.replace("nn.LazyLinear(1)", "nn.LazyLinear(40_000)").replace(
                "self.gate(x)", "self.gate(x)[..., :1]"
            )
        )
    assert caught.value.check == "contract"


def test_a_candidate_that_breaks_a_check_gets_no_reply() -> None:
    with pytest.raises(Fault) as caught:
        probed("x = 1\n")
    assert caught.value.check == "build"


def test_what_fails_only_on_a_large_batch_is_a_fault_of_the_candidate() -> None:
    source = LEARNING.replace("return self.scale", "assert x.numel() < 20_000, 'too large'\n        return self.scale")
    with pytest.raises(Fault, match="typical batch raised AssertionError: too large"):
        probed(source)
