"""Initializers: each check refuses what it is for; nets start with the weights that an ordinary net would get."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.heldout import score
from engine.suite import SCREEN, Pack, pack
from engine.winrate import wins
from sandbox.guest.candidate import load
from sandbox.guest.components.filling import InitializerHarness, fill
from sandbox.guest.components.initializer import BEHAVIOUR, NETS, SHAPES, statistics
from sandbox.guest.components.kinds import KINDS, kind_named
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.sequential import train_sequential
from sandbox.guest.stack import stack_of
from sandbox.guest.train import tensors_of, train

KIND = KINDS["initializer"]
TINY = replace(
    SCREEN,
    datasets=("digits", "spirals", "friedman1"),
    architectures={"mlp2": 3, "cnn": 1},
    steps=8,
    checkpoints=(6, 8),
    examples=32,
)


def test_an_initializer_may_ask_for_gradients() -> None:
    weight = torch.zeros(2, 3)
    fill(lambda w: w.requires_grad_().add_(1.0), weight, "")
    assert weight.numpy().tolist() == [[1.0] * 3] * 2


@pytest.fixture(scope="module")
def tiny() -> Pack:
    torch.set_num_threads(1)
    return pack(TINY, b"tests", (0, 1))


def initializer(body: str, before: str = "state = {}") -> str:
    """A module whose `fill(weight)` has this body; it reads `rows`, `columns` and a dictionary `state`."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return (
        f"import math, random\nimport torch\nfrom torch import nn\ndef build():\n    {before}\n    def fill(weight):\n"
        f"        rows, columns = weight.shape\n{lines}    return fill\n"
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
    "fill": [
        initializer("weight.copy_(torch.randn(32, 64))"),
        initializer("weight.nothing()"),
        initializer("weight.normal_()\nweight[:, 3] = 0"),
        initializer("weight.copy_(torch.linalg.qr(torch.randn(columns, rows))[0].T)"),
        initializer("weight.normal_(0, 1 / (columns - 1))"),
    ],
    "in place": [
        initializer("return torch.randn(rows, columns)"),
        initializer("weight = torch.randn(rows, columns)"),
        initializer("weight * 2"),
    ],
    "shape": [initializer("weight.data = torch.randn(columns, rows + 1)")],
    "dtype": [initializer("weight.data = torch.randn(rows, columns).double()")],
    "finite": [
        initializer("weight.normal_().div_(weight.std(1, keepdim=True))"),
        initializer("weight.normal_(0, float('inf'))"),
        initializer("weight.copy_(torch.zeros(rows, columns).log())"),
    ],
    "constant": [initializer("weight.zero_()"), initializer("weight.fill_(0.1)")],
    "seed": [initializer("weight.fill_(int.from_bytes(open('/dev/urandom', 'rb').read(4), 'big') / 2**32)")],
}


@pytest.mark.parametrize(
    ("check", "code"),
    [pytest.param(c, code, id=f"{c}-{n}") for c, codes in REFUSED.items() for n, code in enumerate(codes)],
)
def test_an_initializer_is_refused_by_the_check_that_it_breaks(check: str, code: str) -> None:
    found = refusal(code)
    assert found is not None
    assert found.check == check, found


def test_a_refusal_names_the_weight_and_what_to_do() -> None:
    assert "[96, 1] (layer 1 of a wider net" in str(refusal(initializer("weight.normal_(0, 1 / (columns - 1))")))
    assert "weight.copy_" in str(refusal(initializer("return torch.randn(rows, columns)")))


ACCEPTED = {
    "by autograd": initializer(
        "with torch.enable_grad():\n    w = weight.clone().requires_grad_()\n"
        "    g = torch.autograd.grad((w @ w.T).square().sum(), w)[0]\nweight.sub_(1e-3 * g)"
    ),
    "new memory": initializer("weight.data = torch.randn(rows, columns) / columns"),
    "returns its weight": initializer("return weight.normal_(0, 0.1)"),
    "scales what is there": initializer("weight.mul_(1.5)"),
    "leaves some layers": initializer("if rows > 3:\n    weight.normal_(0, 0.1)"),
    "zero at the end": initializer("weight.normal_(0, 0.1)\nif rows < 11:\n    weight.zero_()"),
    "the same rows": initializer("weight.copy_(torch.randn(columns).expand(rows, columns))"),
    "counts layers": initializer("state['n'] = state.get('n', 0) + 1\nweight.normal_(0, 1 / state['n'])"),
    "python's random numbers": initializer("weight.fill_(0.1)\nweight[0] = random.random()"),
    "an object": "import torch\nclass Mine:\n    def __call__(self, weight):\n        torch.nn.init.normal_(weight)\n"
    "def build():\n    return Mine()\n",
}


@pytest.mark.parametrize("code", ACCEPTED.values(), ids=list(ACCEPTED))
def test_an_honest_initializer_is_accepted(code: str) -> None:
    assert refusal(code) is None
    behaviour = KIND.behave(built(code))
    assert {name: array.shape for name, array in behaviour.items()} == dict(BEHAVIOUR)


# --- training


def trained(packed: Pack, source: str, way: Any = train, factors: tuple[float, ...] = (1.0,)) -> Reply:
    options = {**packed.options, "device": "cpu", "factors": list(factors)}
    reply: Reply = way(
        Job(action="train", kind="initializer", source=source.encode(), options=options, pack=packed.arrays)
    )
    return reply


def losses(packed: Pack, reply: Reply) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.inf if t.loss is None else t.loss for t in score(reply.arrays, packed.held_out)])


CATALOGUE = [
    json.loads(line)
    for line in (Path(engine.__file__).parent / "catalogue" / "initializer.jsonl").read_text().splitlines()
]


def test_initializers_in_a_stack_win_and_lose_as_in_sequential_training(tiny: Pack) -> None:
    sources = {name: ACCEPTED[name] for name in ("by autograd", "counts layers", "python's random numbers")}
    sources |= {KIND.reference: KIND.known[0].code, CATALOGUE[0]["id"]: CATALOGUE[0]["code"]}
    stacked, sequential = (
        np.stack([losses(tiny, trained(tiny, source, way)) for source in sources.values()])
        for way in (train, train_sequential)
    )
    for arm, name in enumerate(sources):
        assert np.array_equal(wins(stacked[arm], stacked), wins(sequential[arm], sequential)), name


def harness_of(packed: Pack, source: str, name: str, factors: tuple[float, ...] = (1.0,)) -> InitializerHarness:
    stack = stack_of((name,), tensors_of(packed.arrays, torch.device("cpu")), factors)
    return InitializerHarness(built(source), stack.frame({**packed.options}))


def test_weights_come_in_their_true_sizes_and_what_pads_them_stays_zero(tiny: Pack) -> None:
    harness = harness_of(tiny, initializer("weight.copy_(torch.full((rows, columns), rows + columns / 1000))"), "mlp2")
    first, _, hidden, _, last, _ = harness.initial()
    for replica, (inputs, outputs) in enumerate([(64, 10)] * 2 + [(2, 2)] * 2 + [(10, 1)] * 2):
        assert (first[replica, :inputs] == 32 + np.float32(inputs / 1000)).all()
        assert not first[replica, inputs:].any()
        assert (hidden[replica] == np.float32(32.032)).all()
        assert (last[replica, :, :outputs] == outputs + np.float32(0.032)).all()
        assert not last[replica, :, outputs:].any()


def test_biases_start_at_zero(tiny: Pack) -> None:
    assert not any(bias.any() for bias in harness_of(tiny, KIND.baselines[0].code, "mlp2").initial()[1::2])


def test_every_replica_and_layer_draws_from_a_seed_of_its_own_and_a_factor_of_the_grid_changes_nothing(
    tiny: Pack,
) -> None:
    weights = harness_of(tiny, initializer("weight.normal_()"), "mlp2", (0.5, 2.0)).initial()[2]
    assert torch.equal(weights[:6], weights[6:])
    assert len({float(weight[0, 0]) for weight in weights}) == 6
    twice = harness_of(tiny, initializer("weight.copy_(torch.randn(1000)[: columns])"), "mlp2").initial()
    assert not torch.equal(twice[0][0, :32, 0], twice[2][0, :, 0])


def test_a_convolutions_weight_has_a_row_for_each_channel(tiny: Pack) -> None:
    source = initializer("weight.copy_(torch.arange(float(columns)).expand(rows, columns))")
    first, _, second, *_ = harness_of(tiny, source, "cnn").initial()
    assert first.shape[1:] == (8, 8)
    assert torch.equal(second[0], torch.arange(24.0)[:, None].expand(24, 16))


# --- what follows from the behaviour


@settings(max_examples=20)
@given(seed=st.integers(0, 99))
def test_statistics_know_no_order_of_units_but_for_correlations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((3, 12, 8))
    shuffled = weights[:, rng.permutation(12)][:, :, rng.permutation(8)]
    np.testing.assert_allclose(statistics(weights)[:37], statistics(shuffled)[:37], atol=1e-5)


def point(source: str) -> np.ndarray[Any, Any]:
    return np.asarray(KIND.canonical(KIND.behave(built(source))))


def test_the_canonical_form_knows_the_distribution_and_not_what_was_drawn() -> None:
    one = point(initializer("weight.normal_(0, 1 / math.sqrt(columns))"))
    again = point(initializer("torch.rand(7)\nweight.copy_(torch.randn(columns, rows).T / math.sqrt(columns))"))
    twice = point(initializer("weight.normal_(0, 2 / math.sqrt(columns))"))
    sorted_ = point(initializer("weight.copy_(torch.randn(rows, columns).sort(1)[0] / math.sqrt(columns))"))
    assert np.linalg.norm(one - again) < 0.05 < 0.2 < np.linalg.norm(one - twice)
    assert np.linalg.norm(one - sorted_) > 0.2


def test_the_drawing_is_a_picture_and_a_histogram_that_sums_to_one() -> None:
    for known in KIND.known:
        drawing = KIND.drawing(KIND.behave(built(known.code)))
        assert drawing.bars
        assert drawing.images[0].pixels.shape == SHAPES[0]
        assert float(drawing.series[0].y.sum()) == pytest.approx(1)


def test_there_are_at_least_eight_baselines_and_they_fill_every_shape() -> None:
    assert len(KIND.baselines) >= 8
    assert {shape for _, shapes in NETS for shape in shapes} >= {(1, 32), (32, 2), (8, 8)}


@pytest.mark.parametrize("word", ["Weight initialization", "initialisers", "init scheme", "initializer"])
def test_an_initializer_is_known_by_the_words_people_use(word: str) -> None:
    assert kind_named(word) is KIND
