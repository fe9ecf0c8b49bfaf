"""What the functional tests of several kinds share."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..blame import blamed
from ..job import Fault
from .kind import Vector


def seed(number: int) -> None:
    """Every generator on the CPU that a component may draw from without being told."""
    random.seed(number)
    np.random.seed(number)
    torch.default_generator.manual_seed(number)  # torch.manual_seed also visits every device: 2 ms more


def gradients(output: Tensor, wanted: Sequence[Tensor], cotangent: Tensor, check: str, doing: str) -> list[Tensor]:
    """Vector-Jacobian products, zero where `output` does not depend on a tensor. `output` must require a gradient."""
    with blamed(check, doing):
        found = torch.autograd.grad(output, wanted, cotangent, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found, wanted, strict=True)]


def learnable(component: nn.Module) -> dict[str, Tensor]:
    return {name: parameter for name, parameter in component.named_parameters() if parameter.requires_grad}


def learning(component: nn.Module, found: Sequence[Tensor]) -> Vector:
    """[2]: log(1 + number of learnable scalars), log(1 + norm of their gradient).

    Two components that answer alike before training are not the same when only one of them learns.
    """
    count = sum(parameter.numel() for parameter in learnable(component).values())
    norm = float(torch.stack([g.detach().double().square().sum() for g in found]).sum().sqrt()) if found else 0.0
    return np.log1p(np.array([count, norm], np.float64)).astype(np.float32)


def require_finite(values: Tensor, check: str, what: str, where: str) -> None:
    bad = ~values.isfinite()
    if bad.any():
        example = float(values[bad].flatten()[0])
        raise Fault(check, f"{what} is not finite ({example}) {where}")


def words(thing: Any) -> str:
    """What a component returned, for a sentence: "a tuple", "a Tensor of shape [3, 2]"."""
    if thing is None:
        return "None"
    shape = f" of shape {list(thing.shape)}" if isinstance(thing, Tensor) else ""
    return f"a {type(thing).__name__}{shape}"
