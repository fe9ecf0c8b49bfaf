"""What the functional tests of several kinds share."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..blame import blamed
from ..job import Fault
from .kind import Vector


def seed(number: int) -> None:
    """Every generator on the CPU that a component may draw from without being told."""
    random.seed(number)
    np.random.seed(number)
    torch.default_generator.manual_seed(number)  # torch.manual_seed also visits every device: 2 ms more


@cache
def _upstream() -> Tensor:
    return torch.ones((), requires_grad=True)


def as_in_a_net(leaf: Tensor) -> Tensor:
    """A copy that is no leaf, so that it can be worked on in place, and that hangs on what all training steps share.

    Through that, `gradients` reaches any graph of an earlier step that a component kept, and fails as training would.
    """
    return leaf * _upstream()


def gradients(output: Tensor, wanted: Sequence[Tensor], cotangent: Tensor, check: str, doing: str) -> list[Tensor]:
    """Vector-Jacobian products, zero where `output` does not depend on a tensor. `output` must require a gradient."""
    with blamed(check, doing):
        found = torch.autograd.grad(output, [*wanted, _upstream()], cotangent, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found[:-1], wanted, strict=True)]


def learnable(component: nn.Module) -> dict[str, Tensor]:
    """Its learnable parameters by name, without lazy ones that no call has given a shape yet."""
    parameters = component.named_parameters()
    return {name: parameter for name, parameter in parameters if parameter.requires_grad and not is_lazy(parameter)}


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


def called(component: nn.Module, x: Tensor, check: str = "forward") -> tuple[Tensor, Tensor]:
    """(x as a leaf, what forward made of it), for kinds that keep shape and dtype; working on x in place is noticed.

    Raises `Fault` with one of the checks `check`, type, shape, dtype, input modified.
    """
    with torch.enable_grad():
        leaf = x.clone().requires_grad_()
        given = as_in_a_net(leaf)
        with blamed(check, f"forward on an input of shape {list(x.shape)}"):
            output = component(given)
    if not isinstance(output, Tensor):
        raise Fault("type", f"forward returned {words(output)}; it must return one tensor")
    if output.shape != x.shape:
        raise Fault("shape", f"forward made {list(output.shape)} of an input of shape {list(x.shape)}; it must keep it")
    if output.dtype != x.dtype:
        raise Fault("dtype", f"forward made {output.dtype} of an input of {x.dtype}; it must keep the dtype")
    if not torch.equal(given.detach(), x):
        raise Fault("input modified", "forward changed its input in place; work on a copy (x.clone()) instead")
    return leaf, output


def largest_difference(answers: Sequence[Tensor], tolerance: float = 1e-5) -> float | None:
    """Between the first of some answers and the others; None where rounding explains it, so not where one is NaN."""
    one = answers[0]
    difference = max(float((one - other).abs().max()) for other in answers[1:])
    return None if difference <= tolerance * (1.0 + float(one.abs().max())) else difference
