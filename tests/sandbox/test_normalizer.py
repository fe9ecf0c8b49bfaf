"""Normalizers: the contract check by check, their place before each ReLU, tiers, what novelty and the plot see."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.heldout import score
from engine.novelty import judge, same
from engine.suite import SCREEN, Pack, pack, suite_of
from engine.winrate import wins
from sandbox.guest.candidate import load
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.sequential import train_sequential
from sandbox.guest.train import train

NORMALIZER = KINDS["normalizer"]
SMALL = replace(
    SCREEN,
    datasets=("digits", "friedman1"),
    architectures={"mlp2": 2, "res": 2, "cnn": 1},
    steps=12,
    checkpoints=(9, 12),
    examples=32,
)
TINY = replace(SMALL, architectures={"mlp2": 2, "cnn": 1}, steps=4, checkpoints=(4,))
LEARNT = "self.weight = nn.Parameter(torch.ones(num_features))"
RUNNING = "self.register_buffer('mean', torch.zeros(num_features))"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def small() -> Pack:
    return pack(SMALL, b"tests", (0, 1))


@pytest.fixture(scope="module")
def tiny() -> Pack:
    return pack(TINY, b"tests", (0, 1))


def normalizer(body: str, init: str = "pass", before: str = "") -> str:
    head = "import math\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n" + before
    inits, lines = textwrap.indent(init, " " * 8), textwrap.indent(body, " " * 8)
    return (
        f"{head}\nclass Mine(nn.Module):\n    def __init__(self, num_features):\n        super().__init__()\n{inits}\n"
        f"    def forward(self, x):\n{lines}\n\ndef build(num_features):\n    return Mine(num_features)\n"
    )


def known(name: str) -> str:
    return next(entry.code for entry in NORMALIZER.known if entry.name == name)


def built(source: str) -> Any:
    return load(source.encode(), NORMALIZER, module="tried")


def refusal(source: str) -> Fault | None:
    try:
        NORMALIZER.check(built(source))
    except Fault as found:
        return found
    return None


def job(packed: Pack, source: str) -> Job:
    options = {**packed.options, "device": "cpu", "factors": [1.0]}
    return Job(action="train", kind="normalizer", source=source.encode(), options=options, pack=packed.arrays)


def losses(reply: Reply, packed: Pack) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.inf if t.loss is None else t.loss for t in score(reply.arrays, packed.held_out)])


# --- check by check

URANDOM = "self.a = 1 + int.from_bytes(open('/dev/urandom', 'rb').read(4), 'big') / 2**33"
REFUSED = {
    "build": ["def build():\n    return None\n"],
    "forward": [normalizer("return x.nothing"), normalizer("return x.view(5, 5)")],
    "type": [normalizer("return x, x"), normalizer("return None")],
    "shape": [normalizer("return x.mean(1)"), normalizer("return torch.cat([x, x], 1)")],
    "dtype": [normalizer("return x.double()"), normalizer("return (x > 0).int()")],
    "input modified": [normalizer("x -= x.mean(1, keepdim=True)\nreturn x"), normalizer("return x.mul_(2)")],
    "features": [
        normalizer("return x * self.w", "self.w = torch.ones(32)"),
        normalizer("return x.unflatten(1, (2, 16)).flatten(1)"),
    ],
    "batch": [
        normalizer("return x.unflatten(0, (32, -1)).flatten(0, 1)"),
        normalizer("if len(x) < 2:\n    raise ValueError('too few')\nreturn x"),
    ],
    "finite output": [
        normalizer("return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)"),
        normalizer("return x / x.norm(dim=0)"),
        normalizer("return torch.exp(x * x)"),
    ],
    "constant output": [normalizer("return 0 * x + 1"), normalizer("return torch.zeros_like(x)")],
    "gradient": [normalizer("return x.detach()"), normalizer("return x.sign() + 0 * x")],
    "finite gradient": [
        normalizer("return (x - x.mean(0)) / (x.var(0, correction=0).sqrt() + 1e-5)") + "# its slope at 0 is infinite",
    ],
    "repeat": [
        normalizer("self.mean = 0.9 * self.mean + 0.1 * x.mean(0)\nreturn x - self.mean", "self.mean = 0.0"),
    ],
    "eval mode": [
        normalizer("return F.dropout(x, 0.5)"),
        normalizer("self.mean.mul_(0.9).add_(0.1 * x.detach().mean(0))\nreturn x - self.mean", RUNNING),
    ],
    "rows": [
        normalizer("return x - x.mean(0)"),
        normalizer("return F.batch_norm(x, None, None, training=True)"),
        normalizer("return x / (1 + x.abs().max())"),
        normalizer("return x if len(x) > 1 else 2 * x"),
    ],
    "seed": [normalizer("return x * self.a", URANDOM)],
}


@pytest.mark.parametrize(
    ("check", "source"),
    [pytest.param(c, s, id=f"{c}-{n}") for c, sources in REFUSED.items() for n, s in enumerate(sources)],
)
def test_a_normalizer_is_refused_by_the_check_that_it_breaks(check: str, source: str) -> None:
    found = refusal(source)
    assert found is not None
    assert found.check == check, found


ACCEPTED = {
    "nothing": normalizer("return x"),
    "only a scale": normalizer("return x * self.weight", LEARNT),
    "elementwise": normalizer("return torch.asinh(x)"),
    "feature statistics": normalizer("return x / (x.abs().mean(1, keepdim=True) + 1e-5)"),
    "batch statistics": normalizer("return self.norm(x)", "self.norm = nn.BatchNorm1d(num_features)"),
    "groups": normalizer("return self.norm(x)", "self.norm = nn.GroupNorm(8, num_features)"),
    "assigned buffer": normalizer(
        "if self.training:\n    self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)\nreturn x - self.mean", RUNNING
    ),
    "counts": normalizer(
        "if self.training:\n    self.t += 1\n    self.mean.lerp_(x.detach().mean(0), 1 / self.t.item())\n"
        "return x - self.mean",
        RUNNING + "\nself.register_buffer('t', torch.zeros(()))",
    ),
    "random in training": normalizer("return x * (1 + 0.1 * torch.randn_like(x)) if self.training else x"),
    "random weights": normalizer(
        "return x @ self.turn", "self.turn = torch.linalg.qr(torch.randn(num_features, num_features))[0]"
    ),
    "lazy": normalizer("return self.gate(x)", "self.gate = nn.LazyBatchNorm1d()"),
    "in place on a copy": normalizer("y = x.clone()\ny -= y.mean(1, keepdim=True)\nreturn y"),
}


@pytest.mark.parametrize("source", ACCEPTED.values(), ids=list(ACCEPTED))
def test_an_honest_normalizer_is_accepted(source: str) -> None:
    assert refusal(source) is None
    behaviour = NORMALIZER.behave(built(source))
    assert all(np.isfinite(array).all() for array in behaviour.values())


def test_a_refusal_says_what_to_do() -> None:
    assert "running statistics" in str(refusal(normalizer("return x - x.mean(0)")))
    assert "constant" in str(refusal(normalizer("return x / x.norm(dim=0)")))


def test_there_are_ten_baselines() -> None:
    assert len(NORMALIZER.baselines) == 10


# --- training


def test_a_stack_of_normalized_nets_wins_and_loses_as_sequential_training_does(small: Pack) -> None:
    sources = {name: known(name) for name in ("BatchNorm", "LayerNorm", "Batch Renormalization")}
    sources |= {name: ACCEPTED[name] for name in ("assigned buffer", "counts", "lazy")} | {"attribute": ATTRIBUTE}
    stacked, sequential = (
        np.stack([losses(way(job(small, source)), small) for source in sources.values()])
        for way in (train, train_sequential)
    )
    for arm, name in enumerate(sources):
        assert np.array_equal(wins(stacked[arm], stacked), wins(sequential[arm], sequential)), name


TIERS = {
    "direct": ["return x", "return F.layer_norm(x, x.shape[-1:])"],
    "vmap": [
        "return F.layer_norm(x, x.shape[1:])",
        "return x - x.mean()",
        "return x - x.mean(0) if self.training else x",
        "return x / (1 + x.square().mean(1, keepdim=True))",
        "return 2 * x if x.ndim == 3 else x",
        "return x / len(x)",
        "if x.ndim > 2:\n    raise ValueError('rows and features only')\nreturn x",
    ],
    "loop": ["return x if x.mean() > 0 else 2 * x", "return x / (1 + float(x.detach().std()))"],
}


@pytest.mark.parametrize(("tier", "body"), [(tier, body) for tier, bodies in TIERS.items() for body in bodies])
def test_a_normalizer_runs_in_the_fastest_tier_that_is_right(tiny: Pack, tier: str, body: str) -> None:
    assert train(job(tiny, normalizer(body))).values["tier"] == tier


ATTRIBUTE = normalizer(
    "if self.training:\n    self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)\nreturn x - self.mean",
    "self.mean = 0.0",
)
STATEFUL = {
    "BatchNorm": (known("BatchNorm"), "vmap"),
    "Batch Renormalization": (known("Batch Renormalization"), "vmap"),
    "LayerNorm": (known("LayerNorm"), "vmap"),
    "Ghost BatchNorm": (known("Ghost BatchNorm (16)"), "vmap"),
    "a counter that is read": (known("Diminishing BatchNorm"), "vmap"),
    "an assigned buffer": (ACCEPTED["assigned buffer"], "vmap"),
    "a statistic that is read": (normalizer("return x / (1 + x.detach().std().item() * self.training)"), "loop"),
}


@pytest.mark.parametrize(("source", "tier"), STATEFUL.values(), ids=list(STATEFUL))
def test_running_statistics_and_parameters_are_each_replicas_own(tiny: Pack, source: str, tier: str) -> None:
    assert train(job(tiny, source)).values["tiers"] == dict.fromkeys(TINY.architectures, tier)


def test_it_is_told_the_features_and_sees_every_position_as_a_row(tiny: Pack) -> None:
    strict = "if x.shape[1] != self.wanted or x.ndim != 2 or x.requires_grad and len(x) not in (32, 480, 224):\n"
    source = normalizer(f"{strict}    raise ValueError(x.shape)\nreturn x", "self.wanted = num_features")
    assert np.array_equal(train(job(tiny, source)).arrays["cnn"], train(job(tiny, known("Identity"))).arrays["cnn"])


def test_it_works_before_the_relu(tiny: Pack) -> None:
    negated = train(job(tiny, normalizer("return -x.abs()"))).arrays["mlp2"]
    assert np.ptp(negated, axis=2).max() == 0  # nothing passes the ReLU: only biases are left


def test_predictions_use_running_statistics(tiny: Pack) -> None:
    """In eval mode a net's answer to a row is the same whatever else it is asked."""
    arrays = dict(tiny.arrays)
    arrays["asked"] = arrays["asked"].copy()
    arrays["asked"][:, :, 1:] = arrays["asked"][:, :, :1]
    one, other = (train(job(p, known("BatchNorm"))).arrays["mlp2"] for p in (tiny, replace(tiny, arrays=arrays)))
    np.testing.assert_allclose(one[:, :, 0], other[:, :, 0], rtol=1e-4, atol=1e-5)


def test_every_baseline_trains_and_a_copy_ties_while_a_broken_one_loses(small: Pack) -> None:
    table = np.stack([losses(train(job(small, baseline.code)), small) for baseline in NORMALIZER.baselines])
    assert np.isfinite(table).all()
    copied = losses(train(job(small, known("LayerNorm") + "\n# a copy\n")), small)
    number = [baseline.name for baseline in NORMALIZER.baselines].index("LayerNorm")
    assert np.array_equal(copied, table[number])
    broken = losses(train(job(small, normalizer("return 1e-6 * x - 1"))), small)
    deep = [number for number, cell in enumerate(cells(small)) if cell in ("digits/mlp2", "digits/cnn")]
    assert not wins(broken[deep], table[:, deep]).any()


def cells(packed: Pack) -> list[str]:
    stacks = packed.held_out.stacks.items()
    return [f"{name}/{a}" for a, count in stacks for name, _, _ in packed.held_out.replicas[:count]]


def test_a_screening_has_about_as_many_trials_as_that_of_activations() -> None:
    suite = suite_of(NORMALIZER)
    assert 30 <= len(suite.cells) * len(suite.seeds) <= 40


# --- what novelty and the plot see


def behaviour_of(body: str, init: str = "pass") -> Mapping[str, Any]:
    return NORMALIZER.behave(built(normalizer(body, init)))


BODIES = ["torch.tanh(x)", "F.layer_norm(x, x.shape[1:])", "x / (1 + x.square().mean(1, keepdim=True)).sqrt()"]


@settings(max_examples=20, deadline=None)
@given(body=st.sampled_from(BODIES), factor=st.floats(0.05, 20))
def test_the_canonical_form_does_not_see_a_positive_factor(body: str, factor: float) -> None:
    one, other = (NORMALIZER.canonical(behaviour_of(f"return {a} * {body}")) for a in (1.0, factor))
    np.testing.assert_allclose(one, other, atol=1e-5)
    mirrored = NORMALIZER.canonical(behaviour_of(f"return -{factor} * {body}"))
    assert np.linalg.norm(one - mirrored) > 1


def test_the_canonical_form_does_not_see_what_is_learnable_but_duplicates_do() -> None:
    with_parameters, without = (
        NORMALIZER.behave(built(known(name))) for name in ("BatchNorm", "BatchNorm without parameters")
    )
    np.testing.assert_allclose(NORMALIZER.canonical(with_parameters), NORMALIZER.canonical(without), atol=1e-5)
    assert not same(NORMALIZER, with_parameters, without)


def test_another_spelling_is_a_duplicate_and_another_momentum_is_not() -> None:
    layer_norm = "z = x - x.mean(1, keepdim=True)\nreturn z / (z.pow(2).mean(1, keepdim=True) + 1e-5).sqrt()"
    assert judge(NORMALIZER, behaviour_of(layer_norm)).duplicate_of == "LayerNorm without parameters"
    slower = behaviour_of("return self.norm(x)", "self.norm = nn.BatchNorm1d(num_features, momentum=0.02)")
    found = judge(NORMALIZER, slower)
    assert found.duplicate_of is None
    assert 0 < found.n_score < 0.5


def test_the_drawing_is_flat_where_a_scale_is_removed() -> None:
    def flat(name: str) -> list[str]:
        series = NORMALIZER.drawing(NORMALIZER.behave(built(known(name)))).series
        return [one.name for one in series if np.ptp(one.y) < 0.05]

    assert flat("Identity") == []
    assert flat("BatchNorm") == ["batch × s", "one feature × s"]
    assert flat("LayerNorm") == ["batch × s", "one row × s", "batch × s, eval"]
