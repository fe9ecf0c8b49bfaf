"""Optimizers: each check refuses what it is for; none is stacked that is not treated alike alone."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.heldout import score
from engine.suite import SCREEN, Pack, pack
from engine.winrate import wins
from sandbox.guest.candidate import load
from sandbox.guest.components.kinds import KINDS, kind_named
from sandbox.guest.components.optimizer import net_of
from sandbox.guest.components.stepping import fastest
from sandbox.guest.components.trajectories import response
from sandbox.guest.components.updates import Way, by_net, by_tensor, take
from sandbox.guest.harness import Frame
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.sequential import train_sequential
from sandbox.guest.stack import stack_of
from sandbox.guest.tiers import Tier
from sandbox.guest.train import tensors_of, train

KIND = KINDS["optimizer"]
TINY = replace(
    SCREEN,
    datasets=("digits", "spirals", "friedman1"),
    architectures={"mlp2": 3},
    steps=12,
    checkpoints=(10, 12),
    examples=32,
)


@pytest.fixture(scope="module")
def tiny() -> Pack:
    torch.set_num_threads(1)
    return pack(TINY, b"tests", (0, 1))


def optimizer(body: str, init: str = "pass", guard: str = "@torch.no_grad()") -> str:
    """A module whose optimizer changes each `p` by this body; it reads g, lr, t, the list `params`, `state` of p."""
    return (
        "import math, random\nimport torch\nclass Mine(torch.optim.Optimizer):\n"
        "    def __init__(self, params, lr):\n        super().__init__(params, dict(lr=lr))\n        self.t = 0\n"
        f"{textwrap.indent(init, ' ' * 8)}\n    {guard}\n    def step(self, closure=None):\n        self.t += 1\n"
        "        t = self.t\n        for group in self.param_groups:\n"
        "            lr, params = group['lr'], group['params']\n            for p in params:\n"
        f"                g, state = p.grad, self.state[p]\n{textwrap.indent(body, ' ' * 16)}\n"
        "def build(params, lr):\n    return Mine(params, lr)\n"
    )


def built(source: str) -> Any:
    return load(source.encode(), KIND, module="tried")


def refusal(source: str) -> Fault | None:
    try:
        KIND.check(built(source))
    except Fault as found:
        return found
    return None


REFUSED = {
    "step": [
        optimizer("p.nothing()"),
        optimizer("p -= lr * g", guard=""),
        optimizer("p.sub_(lr * state['m'])"),
        optimizer("pass").replace("closure=None", "closure"),
    ],
    "repeat": [
        optimizer("p.sub_(lr * g)\nstate['m'] = None if t == 1 else state['m'] * 2"),
        optimizer("p.sub_([lr, lr, lr][t - 1] * g)"),
    ],
    "sizes": [
        optimizer("p.sub_(lr * torch.cat([g[:4], g[4:]]).view(p.shape) * torch.ones(64)[: p.shape[-1]][1])"),
        optimizer("p.sub_(lr * (g if p.ndim == 1 else g * torch.linspace(0, 1, 64)[: p.shape[1]][2]))"),
    ],
    "shape": [optimizer("p.data = (p - lr * g)[:1]")],
    "dtype": [optimizer("p.data = (p - lr * g).double()")],
    "finite": [
        optimizer("p.sub_(lr * g / g.norm())"),
        optimizer("p.sub_(lr * g / g.abs().sqrt())"),
        optimizer("p.sub_(lr * torch.exp(1000 * g.abs()))"),
    ],
    "no effect": [optimizer("pass"), optimizer("p = p - lr * g")],
    "seed": [optimizer("p.sub_(lr * g * int.from_bytes(open('/dev/urandom', 'rb').read(4), 'big') / 2**32)")],
}


@pytest.mark.parametrize(
    ("check", "code"),
    [pytest.param(c, code, id=f"{c}-{n}") for c, codes in REFUSED.items() for n, code in enumerate(codes)],
)
def test_an_optimizer_is_refused_by_the_check_that_it_breaks(check: str, code: str) -> None:
    found = refusal(code)
    assert found is not None
    assert found.check == check, found


def test_what_is_no_optimizer_breaks_the_contract() -> None:
    with pytest.raises(Fault, match=r"must return a torch\.optim") as caught:
        built("def build(params, lr):\n    return lambda: None\n")(net_of([(2, 2)]), 0.1)
    assert caught.value.check == "contract"


def test_a_refusal_says_in_which_step_and_on_what() -> None:
    assert "exactly 0" in str(refusal(optimizer("p.sub_(lr * g / g.norm())")))
    assert "on a net of 2 inputs" in str(refusal(REFUSED["sizes"][1]))
    assert "in its first step" in str(refusal(optimizer("p.nothing()")))


ACCEPTED = {
    "a library's": "import torch\ndef build(params, lr):\n    return torch.optim.NAdam(params, lr=lr)\n",
    "moves weights only": optimizer("if p.ndim > 1:\n    p.sub_(lr * g)"),
    "one tensor a step": optimizer("if t % len(params) == [q is p for q in params].index(True):\n    p.sub_(lr * g)"),
    "works on the gradient": optimizer("g.clamp_(-1, 1)\np.sub_(lr * g)"),
    "new memory": optimizer("p.data = p - lr * g"),
    "no learning rate in its groups": optimizer("p.sub_(self.lr * g)", "self.lr = lr")
    .replace("dict(lr=lr))", "{})")
    .replace("lr, params = group['lr'], ", "params = "),
    "starts later": optimizer("p.sub_(lr * g * (t > 2))"),
    "random": optimizer("p.sub_(lr * (g + 0.01 * torch.randn_like(g)))"),
}


@pytest.mark.parametrize("code", ACCEPTED.values(), ids=list(ACCEPTED))
def test_an_honest_optimizer_is_accepted(code: str) -> None:
    assert refusal(code) is None
    KIND.behave(built(code))


# --- tiers

ELEMENTWISE = {
    "momentum": optimizer("m = state.setdefault('m', torch.zeros_like(p))\nm.mul_(0.9).add_(g)\np.sub_(lr * m)"),
    "keeps the last gradient": optimizer("p.sub_(lr * (g + state.get('last', 0 * g)))\nstate['last'] = g"),
    "new memory": ACCEPTED["new memory"],
    "its own learning rate": optimizer("p.sub_(lr * g)\ngroup['lr'] = lr * 0.99"),
    "no learning rate in its groups": ACCEPTED["no learning rate in its groups"],
    "replaces by where": optimizer("p.copy_(torch.where(g > 0, p - lr, p + lr))"),
}
BY_TENSOR = {  # each would train, and wrongly, if one of it had all the replicas as one vector
    "norm of a tensor": optimizer("p.sub_(lr * g / (g.norm() + 1e-6))"),
    "size of a tensor": optimizer("p.sub_(lr * g / p.numel() ** 0.5)"),
    "number of dimensions": optimizer("p.mul_(1 - lr * (p.ndim == 2)).sub_(lr * g)"),
    "rows": optimizer("p.sub_(lr * (g - (g.mean(1, keepdim=True) if g.ndim == 2 else 0)))"),
    "first row": optimizer("g[0] = 0\np.sub_(lr * g)"),
    "matrix": optimizer(
        "u = g\nif g.ndim == 2:\n    u, _, v = torch.linalg.svd(g + 1e-6, full_matrices=False)\n    u = u @ v\n"
        "p.sub_(lr * u)"
    ),
    "median": optimizer("p.sub_(lr * g.clamp(-g.abs().median(), g.abs().median()))"),
    "a factor of its own": optimizer("p.add_(g / (g.norm() + 1e-6), alpha=-lr)"),
    "a branch that all take": optimizer("p.sub_(lr * (g / (1 + g.norm()) if p.norm() > 0 else g))"),
    "a learning rate that is looked at": optimizer(
        "p.sub_(lr * g / (g.norm() + 1e-6))", "if not 0 < lr < 1:\n    raise ValueError(lr)"
    ),
    "what it keeps itself": optimizer(
        "self.m[p].mul_(0.9).add_(g / (g.norm() + 1e-6))\np.sub_(lr * self.m[p])",
        "self.m = {p: torch.zeros_like(p) for p in params}",
    ),
    "data": optimizer("p.data.sub_(lr * g / (g.norm() + 1e-6))"),
    "new data": optimizer("p.data = p.data - lr * g / (g.norm() + 1e-6)"),
}
BY_NET = {
    "norm of all tensors": optimizer(
        "total = sum(q.grad.square().sum() for q in params)\np.sub_(lr * g / (1 + total))"
    ),
    "one flat vector": optimizer("pass").replace(
        "        for group in",
        "        flat = torch.cat([p.grad.flatten() for p in self.param_groups[0]['params']])\n"
        "        for p in self.param_groups[0]['params']:\n            p.sub_(0.01 * p.grad / flat.abs().max())\n"
        "        for group in",
    ),
    "one tensor a step": ACCEPTED["one tensor a step"],
}
LOOPED = {
    "clipped": optimizer("torch.nn.utils.clip_grad_norm_(params, 0.1)\np.sub_(lr * p.grad)"),
    "a branch of each one's own": optimizer("p.sub_(lr * (g if g.abs().max() < 1.0 else g.sign()))"),
    "random": ACCEPTED["random"],
    "random for each tensor": optimizer("p.sub_(lr * g * (0.5 + random.random()))"),
    "scale when built": optimizer(
        "p.sub_(lr * g / self.scale[id(p)])", "self.scale = {id(p): float(p.detach().norm()) + 0.1 for p in params}"
    ),
}
COUPLED = BY_TENSOR | BY_NET | LOOPED
LATER = {  # nothing of it shows in a short trial
    "norm from the fifth step on": optimizer("p.sub_(lr * (g if t < 5 else g / (g.norm() + 1e-6)))"),
    "norm in the last step": optimizer("p.sub_(lr * (g if t < 12 else g / (g.norm() + 1e-6)))"),
    "every seventh step by rows": optimizer(
        "p.sub_(lr * g)\nif t % 7 == 0 and p.ndim == 2:\n    p.sub_(lr * p.mean(1, keepdim=True))"
    ),
    "restarts them all when one is small": optimizer(
        "m = state.setdefault('m', torch.zeros_like(p))\nif t > 4 and float(g.abs().min()) < 1e-4:\n    m.zero_()\n"
        "m.add_(g)\np.sub_(lr * m)"
    ),
    "fails on a stack": optimizer("p.sub_(lr * (g if t < 6 or p.numel() < 5000 else g.nothing()))"),
}
LATER_IN_A_BATCH = {
    "norm of all tensors from the fifth step on": optimizer(
        "total = sum(q.grad.square().sum() for q in params) if t > 4 else 0\np.sub_(lr * g / (1 + g.norm() + total))"
    ),
    "a number of each one's own from the fifth step on": optimizer(
        "size = g.norm()\np.sub_(lr * g / (1 + (float(size) if t > 4 else size)))"
    ),
}


WAYS: tuple[tuple[Way | None, dict[str, str]], ...] = ((by_tensor, BY_TENSOR), (by_net, BY_NET), (None, LOOPED))


def frame_of(packed: Pack, factors: tuple[float, ...] = (1.0,)) -> Frame:
    return stack_of(("mlp2",), tensors_of(packed.arrays, torch.device("cpu")), factors).frame({**packed.options})


@pytest.mark.parametrize("code", ELEMENTWISE.values(), ids=list(ELEMENTWISE))
def test_what_treats_every_scalar_by_itself_has_all_as_one_vector(tiny: Pack, code: str) -> None:
    assert trained(tiny, code).values["tier"] == "direct"


@pytest.mark.parametrize(
    ("code", "way"),
    [pytest.param(code, way, id=name) for way, codes in WAYS for name, code in codes.items()],
)
def test_what_looks_beyond_a_scalar_has_tensors_or_nets_in_batches_or_one_by_one(
    tiny: Pack, code: str, way: Way | None
) -> None:
    for factors in ((1.0,), (0.3, 1.0)):
        fast = fastest(built(code), frame_of(tiny, factors))
        assert (fast.way if fast else None) is way


@pytest.mark.parametrize(
    ("code", "tier"),
    [
        *(pytest.param(code, Tier.DIRECT, id=name) for name, code in LATER.items()),
        *(pytest.param(code, Tier.VMAP, id=name) for name, code in LATER_IN_A_BATCH.items()),
    ],
)
def test_what_couples_replicas_only_later_is_noticed_in_training_and_trained_again(
    tiny: Pack, code: str, tier: Tier
) -> None:
    fast = fastest(built(code), frame_of(tiny))
    assert fast is not None
    assert fast.tier is tier
    reply = trained(tiny, code)
    assert reply.values["tier"] == "loop"
    found, alone = (each.arrays["mlp2"] for each in (reply, trained(tiny, code, train_sequential)))
    np.testing.assert_allclose(found, alone, rtol=1e-3, atol=1e-3)


# --- training


def trained(packed: Pack, source: str, way: Any = train, factors: tuple[float, ...] = (1.0,)) -> Reply:
    options = {**packed.options, "device": "cpu", "factors": list(factors)}
    reply: Reply = way(
        Job(action="train", kind="optimizer", source=source.encode(), options=options, pack=packed.arrays)
    )
    return reply


def losses(packed: Pack, reply: Reply) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.inf if t.loss is None else t.loss for t in score(reply.arrays, packed.held_out)])


def test_optimizers_in_a_stack_win_and_lose_as_in_sequential_training(tiny: Pack) -> None:
    sources = {known.name: known.code for known in KIND.known if known.name in ("SGD", "NAdam", "Lion", "LAMB")}
    sources |= {name: ELEMENTWISE[name] for name in ("keeps the last gradient", "new memory", "its own learning rate")}
    sources |= {name: COUPLED[name] for name in ("clipped", "matrix", "median", "scale when built", "new data")}
    stacked, sequential = (
        np.stack([losses(tiny, trained(tiny, source, way)) for source in sources.values()])
        for way in (train, train_sequential)
    )
    for arm, name in enumerate(sources):
        assert np.array_equal(wins(stacked[arm], stacked), wins(sequential[arm], sequential)), name


@pytest.mark.parametrize(
    "source",
    [
        ELEMENTWISE["momentum"],
        BY_TENSOR["a factor of its own"],
        BY_NET["norm of all tensors"],
        LOOPED["scale when built"],
    ],
    ids=["direct", "by tensor", "by net", "loop"],
)
def test_every_factor_of_the_grid_has_its_own_learning_rate(tiny: Pack, source: str) -> None:
    together = trained(tiny, source, factors=(0.1, 1.0)).arrays["mlp2"]
    apart = [trained(tiny, source, factors=(factor,)).arrays["mlp2"] for factor in (0.1, 1.0)]
    np.testing.assert_allclose(together, np.concatenate(apart, 1), rtol=1e-4, atol=1e-5)


def test_an_optimizer_sees_true_sizes_in_ordinary_layout(tiny: Pack) -> None:
    says = "raise ValueError(str([tuple(q.shape) for q in params]) + str(p.is_contiguous() and g.is_contiguous()))"
    shapes = r"\(32, 10\), \(32,\), \(32, 32\), \(32,\), \(1, 32\), \(1,\)\]True"
    for way in (train, train_sequential):
        with pytest.raises(Fault, match=shapes):
            trained(tiny, optimizer(f"if params[-1].numel() == 1:\n    {says}\np.sub_(lr * g / (g.norm() + 1))"), way)


@pytest.mark.parametrize("way", [train, train_sequential])
def test_an_optimizer_that_raises_where_a_replica_diverged_loses_only_that_one(tiny: Pack, way: Any) -> None:
    explodes = (
        "if p.shape[-1] == 2:\n    p.mul_(1e30)\np.sub_(lr * torch.linalg.svd(g if g.ndim == 2 else g[None])[1].sum())"
    )
    predictions = trained(tiny, optimizer(explodes), way).arrays["mlp2"]
    lost = ~np.isfinite(predictions).all(axis=(0, 2, 3))
    assert lost.tolist() == [False, False, True, True, False, False]


def test_a_step_is_scaled_by_the_multiplier_and_keeps_the_learning_rate() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.ones(1)
    sgd = torch.optim.SGD([parameter], lr=0.5)
    take(sgd, 0.1)
    assert float(parameter.detach()) == pytest.approx(-0.05)
    assert sgd.param_groups[0]["lr"] == 0.5


# --- what follows from the behaviour


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(0.1, 3))
@pytest.mark.parametrize("name", ["SGD", "Nesterov momentum", "Adam", "Lion", "Rprop"])
def test_the_canonical_form_knows_no_learning_rate(name: str, factor: float) -> None:
    build = built(next(known.code for known in KIND.known if known.name == name))
    one, other = (KIND.canonical({"response": response(build, 0.02 * scale)}) for scale in (1.0, factor))
    np.testing.assert_allclose(one, other, atol=2e-4)


def test_one_optimizer_in_another_spelling_has_the_same_canonical_form_and_others_have_not() -> None:
    own = optimizer("m = state.setdefault('m', torch.zeros_like(p))\nm.mul_(0.9).add_(g)\np.sub_(lr * m)")
    library = next(known.code for known in KIND.known if known.name == "Momentum")
    adam = next(known.code for known in KIND.known if known.name == "Adam")
    mine, theirs, else_ = (KIND.canonical(KIND.behave(built(code))) for code in (own, library, adam))
    assert np.linalg.norm(mine - theirs) < 1e-4 < 0.5 < np.linalg.norm(mine - else_)


def test_the_drawing_is_the_path_that_ends_lowest() -> None:
    behaviour = KIND.behave(built(KIND.baselines[0].code))
    path, floor = KIND.drawing(behaviour).series
    assert np.array_equal(path.x, behaviour["bend"][2, :, 0])  # SGD needs the largest of the rates here
    assert path.x[0] == pytest.approx(-1.2)
    assert np.allclose(floor.y, floor.x**2, atol=1e-5)


def test_there_are_at_least_eight_baselines() -> None:
    assert len(KIND.baselines) >= 8


@pytest.mark.parametrize("word", ["optimisers", "update rule", "Optimization algorithm", "optimizer"])
def test_an_optimizer_is_known_by_the_words_people_use(word: str) -> None:
    assert kind_named(word) is KIND
