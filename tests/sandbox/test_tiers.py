"""The tier of a component: the fastest one that a probe proves equal to one call a replica."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sandbox.guest.tiers import Placed, Tier, fastest, place

REPLICAS, BATCH, FEATURES = 3, 16, 8


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x)


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x, inplace=True)


class Calls(nn.Module):
    """State in Python that counts steps is the same for all replicas."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return F.relu(x) * (1 + 0.1 / self.calls)


class Feature(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.softmax(x, -1)


class Scalar(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.rand(()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.slope * x)


class Coefficients(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.c[0] + self.c[1] * x + self.c[2] * torch.tanh(x)


class Mixed(nn.Module):
    """A vector that is used as a whole does not spread over a stack."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        return (torch.stack([x, x.sin(), x.cos()], -1) * self.c).sum(-1)


class BatchStatistic(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid((x - x.mean(0)) / (x.std(0) + 1e-5))


class WholeMean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x - x.mean())


class SecondDimension(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.softmax(x, 1)


class Running(nn.Module):
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.mean.mul_(0.9).add_(0.1 * x.mean())
        return F.silu(x - self.mean)


class Replaced(Running):
    """A buffer that is assigned anew instead of being changed in place."""

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean()
        return F.silu(x - self.mean)


class Counts(nn.Module):
    """A counter that is read as a number, beside another single number that differs from replica to replica."""

    mean: Tensor
    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.steps += 1
            self.mean.lerp_(x.detach().mean(), 1 / self.steps.item())
        return F.silu(x - self.mean)


class CountsFeatures(Counts):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.steps += 1
            self.mean.lerp_(x.detach().mean(0), 1 / self.steps.item())
        return F.silu(x - self.mean)


class Branch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) if x.mean() > 0 else F.silu(x)


class Item(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) if x.abs().max().item() > 20 else F.silu(x)


class Remembers(nn.Module):
    """The first call decides for each instance on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.scale is None:
            self.scale = x.detach().abs().mean()
        return x * torch.sigmoid(x / self.scale)


class DrawnAtBuild(nn.Module):
    """Instances differ in something that is neither a parameter nor a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = float(torch.rand(()))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.slope)


EXPECTED: dict[type[nn.Module], Tier] = {
    Plain: Tier.DIRECT,
    InPlace: Tier.DIRECT,
    Calls: Tier.DIRECT,
    Feature: Tier.DIRECT,
    Scalar: Tier.DIRECT,
    Coefficients: Tier.DIRECT,
    Mixed: Tier.VMAP,
    nn.PReLU: Tier.VMAP,
    BatchStatistic: Tier.VMAP,
    WholeMean: Tier.VMAP,
    SecondDimension: Tier.VMAP,
    Running: Tier.VMAP,
    Replaced: Tier.VMAP,
    Counts: Tier.LOOP,
    CountsFeatures: Tier.VMAP,
    Branch: Tier.LOOP,
    Item: Tier.LOOP,
    Remembers: Tier.VMAP,
    DrawnAtBuild: Tier.LOOP,
}


def maker(component: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    def make(replica: int) -> nn.Module:
        torch.manual_seed(100 + replica)
        return component()

    return make


def inputs(seed: int) -> tuple[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scales = torch.tensor([1.0, 0.1, 12.0]).view(-1, 1, 1)
    shifts = torch.tensor([0.5, -0.5, 1.0]).view(-1, 1, 1)
    return (scales * torch.randn(REPLICAS, BATCH, FEATURES, generator=generator) + shifts,)


def tier_of(component: Callable[[], nn.Module]) -> Tier:
    return fastest(maker(component), [inputs(1), inputs(2)], tuple(Tier))


@pytest.mark.parametrize(("component", "tier"), EXPECTED.items(), ids=lambda value: getattr(value, "__name__", value))
def test_the_probe_takes_the_fastest_tier_that_is_right(component: type[nn.Module], tier: Tier) -> None:
    assert tier_of(component) == tier


@pytest.mark.parametrize("component", EXPECTED, ids=lambda component: component.__name__)
def test_the_chosen_tier_agrees_with_the_loop_on_inputs_that_the_probe_did_not_see(component: type[nn.Module]) -> None:
    def run(placed: Placed) -> list[Tensor]:
        outputs = []
        for seed in range(10, 14):
            x = inputs(seed)[0].requires_grad_()
            y = placed(x * 1.0)
            gradients = torch.autograd.grad(y.square().sum(), [x, *placed.learnable])
            outputs += [y.detach(), gradients[0], *placed.by_replica(gradients[1:])]
        return outputs

    chosen = place(tier_of(component), maker(component), replicas=REPLICAS, rank=3)
    loop = place(Tier.LOOP, maker(component), replicas=REPLICAS, rank=3)
    for found, wanted in zip(run(chosen), run(loop), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


def test_a_class_that_build_defines_anew_each_time_can_be_batched() -> None:
    def build() -> nn.Module:
        class Mine(nn.PReLU):
            pass

        return Mine()

    assert tier_of(build) == Tier.VMAP


def test_what_the_component_raises_by_itself_passes_through() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ArithmeticError("mine")

    with pytest.raises(ArithmeticError, match="mine"):
        tier_of(Broken)


def test_eval_mode_reaches_every_instance() -> None:
    for tier in Tier:
        placed = place(tier, maker(lambda: nn.Dropout(0.5)), replicas=REPLICAS, rank=3)
        placed.train(False)
        assert torch.equal(placed(inputs(1)[0]), inputs(1)[0])


def test_a_penalty_may_be_a_plain_number_in_a_loop() -> None:
    class Nothing(nn.Module):
        def forward(self, weights: list[Tensor]) -> float:
            return 0.0

    weights = ([torch.randn(REPLICAS, 4, 5)],)
    assert fastest(maker(Nothing), [weights, weights], (Tier.VMAP, Tier.LOOP)) == Tier.LOOP
    assert place(Tier.LOOP, maker(Nothing), replicas=REPLICAS, rank=3)(*weights).tolist() == [0.0] * REPLICAS
