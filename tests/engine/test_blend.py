"""A candidate and a baseline in one module, mixed by a gate."""

from __future__ import annotations

import pytest
import torch

from engine.blend import mixed, share_of
from sandbox.guest.candidate import load
from sandbox.guest.components.kinds import KINDS

KIND = KINDS["activation"]
CODE = {known.name: known.code.encode() for known in KIND.known}


def test_a_mix_starts_as_the_mean_of_the_two_and_its_gate_is_its_first_learnable_parameter() -> None:
    component = load(mixed(CODE["PReLU"], CODE["GELU"]), KIND)()
    x = torch.randn(8, 5)
    prelu, gelu = (load(CODE[name], KIND)()(x) for name in ("PReLU", "GELU"))
    assert torch.allclose(component(x), (prelu + gelu) / 2)
    assert next(name for name, _ in component.named_parameters()) == "gate"


def test_the_two_modules_do_not_see_each_others_names() -> None:
    head = "from torch import nn\nclass A(nn.Module):\n    def forward(self, x):\n        return N * x\n"
    one, other = (f"{head}N = {n}\n\ndef build():\n    return A()\n".encode() for n in (1, 3))
    component = load(mixed(one, other), KIND)()
    assert torch.allclose(component(torch.ones(2, 2)), torch.full((2, 2), 2.0))


def test_the_share_is_a_mean_over_layers_and_nets_with_its_interval_over_seeds() -> None:
    share = share_of([[0.0, 2.0, 0.0, 2.0], [0.0, 2.0]], seeds=2)
    assert share
    assert share.value == pytest.approx((0.5 + 0.8808) / 2, abs=1e-3)
    assert 0 <= share.low < share.value < share.high <= 1
    even = share_of([[1.0, 1.0, 1.0, 1.0]], seeds=4)
    assert even
    assert even.low == pytest.approx(even.high)


@pytest.mark.parametrize("gates", [[], [[]], [[0.1, 0.2, 0.3]], [[float("nan"), 0.0]]])
def test_what_cannot_be_read_is_not_known(gates: list[list[float]]) -> None:
    assert share_of(gates, seeds=2) is None
