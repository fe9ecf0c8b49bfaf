"""Variants of a component without one of its parts."""

from __future__ import annotations

import ast

import pytest
import torch

from engine.ablation import variants
from sandbox.guest.candidate import load
from sandbox.guest.components.kinds import KINDS


def module(expression: str) -> bytes:
    return (
        "import torch\nfrom torch import nn\n\nclass Mine(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.a = nn.Parameter(torch.tensor(0.25 + 0.25))\n\n"
        f"    def forward(self, x):\n        return {expression}\n\ndef build():\n    return Mine()\n"
    ).encode()


def expressions(source: bytes, **how: int) -> dict[str, str]:
    """What stands in `forward` of each variant, by what it is without."""
    found = {}
    for variant in variants(source, **how):
        nodes = ast.walk(ast.parse(variant.source))
        forward = next(node for node in nodes if isinstance(node, ast.FunctionDef) and node.name == "forward")
        found[variant.without] = ast.unparse(forward.body[0]).removeprefix("return ")
    return found


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("x * 0.7", {"* 0.7 (line 10)": "x", "x * (line 10)": "0.7"}),
        ("x + self.a", {"+ self.a (line 10)": "x", "x + (line 10)": "self.a"}),
        ("x - 0.1", {"- 0.1 (line 10)": "x"}),
        ("x / 3.0", {"/ 3.0 (line 10)": "x"}),
        ("x ** 2", {"** 2 (line 10)": "x"}),
        ("torch.tanh(x)", {"torch.tanh(...) (line 10)": "x"}),
        ("x", {}),
    ],
)
def test_each_part_is_left_out_once(expression: str, left: dict[str, str]) -> None:
    assert expressions(module(expression)) == left


def test_the_outermost_parts_come_first_and_there_are_at_most_so_many() -> None:
    source = module("x * torch.sigmoid(1.702 * x) + 0.1 * torch.sin(x)")
    found = expressions(source, most=2)
    assert list(found.values()) == ["x * torch.sigmoid(1.702 * x)", "0.1 * torch.sin(x)"]


def test_what_builds_the_component_is_left_as_it_is() -> None:
    assert all(b"0.25 + 0.25" in variant.source for variant in variants(module("x * self.a")))


def test_a_variant_computes_what_it_says() -> None:
    (variant,) = [v for v in variants(module("x * torch.sigmoid(x)")) if v.without.startswith("* torch.sigmoid(x)")]
    x = torch.randn(4, 3)
    assert torch.equal(load(variant.source, KINDS["activation"])()(x), x)


def test_what_is_no_python_has_no_variants() -> None:
    assert variants(b"def build(:") == variants(b"\0") == []
