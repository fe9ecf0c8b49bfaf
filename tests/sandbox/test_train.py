"""Training in stacks: equal to plain sequential training, one replica's divergence its own, nothing left behind."""

from __future__ import annotations

import hashlib
import json
import random
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import engine
from engine.heldout import score
from engine.suite import SCREEN, Pack, pack, suite_of
from engine.winrate import wins
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.sequential import train_sequential
from sandbox.guest.train import seed_everything, train

Losses = np.ndarray[Any, np.dtype[np.float64]]

SMALL = replace(
    SCREEN,
    datasets=("digits", "friedman1"),
    architectures={"mlp2": 2, "mlp4": 2, "res": 2, "cnn": 1},
    steps=16,
    checkpoints=(13, 16),
    examples=32,
)
TINY = replace(SMALL, architectures={"mlp2": 2}, steps=6, checkpoints=(5, 6))

BATCHED = {
    "learnable and random at build": """
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Parameter(torch.rand(()))
            def forward(self, x):
                return x * torch.sigmoid(self.a * x)
        """,
    "batch statistics and a buffer": """
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("mean", torch.zeros(()))
            def forward(self, x):
                if self.training:
                    self.mean.mul_(0.9).add_(0.1 * x.detach().mean())
                return torch.relu(x - self.mean) / (x.std(0) + 1)
        """,
    "lazy": """
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.gate = nn.LazyLinear(1)
            def forward(self, x):
                return x * torch.sigmoid(self.gate(x))
        """,
    "a branch on the data": """
        class Mine(nn.Module):
            def forward(self, x):
                return torch.tanh(x) if x.mean() > 0 else x * torch.sigmoid(x)
        """,
}
PENALTY = """
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.strength = nn.Parameter(torch.tensor(0.01))
        def forward(self, weights, activations):
            spread = sum((w.T @ w).square().mean() + w.view(-1).abs().mean() for w in weights)
            return self.strength * (spread + sum(torch.linalg.svdvals(a)[0] for a in activations))
    """


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
    return pack(TINY, b"tests", (0, 1, 2, 3))


def module(body: str) -> bytes:
    head = "import torch\nfrom torch import nn\n\n"
    return (head + textwrap.dedent(body).strip() + "\n\ndef build():\n    return Mine()\n").encode()


def job(packed: Pack, source: bytes, kind: str = "activation") -> Job:
    options = {**packed.options, "device": "cpu", "factors": [1.0]}
    return Job(action="train", kind=kind, source=source, options=options, pack=packed.arrays)


def known(kind: str, name: str) -> bytes:
    return next(entry.code for entry in KINDS[kind].known if entry.name == name).encode()


def losses(reply: Reply, packed: Pack) -> Losses:
    return np.array([np.inf if t.loss is None else t.loss for t in score(reply.arrays, packed.held_out)])


def assert_same_wins(packed: Pack, sources: Mapping[str, bytes], kind: str) -> None:
    """The win of every arm over every other in every trial is the same whether trained in a stack or one by one."""
    stacked, sequential = (
        np.stack([losses(way(job(packed, source, kind)), packed) for source in sources.values()])
        for way in (train, train_sequential)
    )
    for arm, name in enumerate(sources):
        assert np.array_equal(wins(stacked[arm], stacked), wins(sequential[arm], sequential)), name


def test_a_stack_wins_and_loses_as_sequential_training_does(small: Pack) -> None:
    sources = {name: module(body) for name, body in BATCHED.items()}
    assert_same_wins(small, {"ReLU": known("activation", "ReLU"), **sources}, "activation")


def test_penalties_in_a_stack_win_and_lose_as_in_sequential_training(small: Pack) -> None:
    penalties = {name: known("regularizer", name) for name in ("L1", "DeCov")}
    assert_same_wins(small, {**penalties, "all of it": module(PENALTY)}, "regularizer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A component's losses in every trial, trained in three ways."""

    group: str  # its tier, and whether it draws random numbers
    stacked: Losses
    nudged: Losses  # in a stack that starts in the last bit elsewhere: what rounding alone does
    sequential: Losses


@pytest.mark.study
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_catalogue_wins_and_loses_as_in_sequential_training(kind: str) -> None:
    """Tier by tier, up to what rounding does: kinks and jumps amplify it, so that some losses change with the last bit.

    What draws random numbers in training is tried in stacks of one net: a larger stack draws them in another order.
    """
    suite = replace(suite_of(KINDS[kind]), steps=SCREEN.steps, checkpoints=SCREEN.checkpoints)
    together, one_by_one = (
        [pack(suite, b"tests", (0,))],
        [
            pack(replace(suite, datasets=("digits",), architectures={net: 1}), b"tests", (0,))
            for net in suite.architectures
        ],
    )
    lines = (Path(engine.__file__).parent / "catalogue" / f"{kind}.jsonl").read_text().splitlines()
    codes = [known.code for known in KINDS[kind].baselines] + [json.loads(line)["code"] for line in lines]
    arms = [arm for arm in (arm_of(together, one_by_one, code.encode(), kind) for code in codes) if arm]
    for group in sorted({arm.group for arm in arms}):
        rivals = [arm for arm in arms if len(arm.stacked) == next(len(a.stacked) for a in arms if a.group == group)]
        stacked, nudged, sequential = (
            wins(of[[arm.group == group for arm in rivals], None], of[None])
            for of in (np.stack([getattr(arm, way) for arm in rivals]) for way in ("stacked", "nudged", "sequential"))
        )
        by_stacking, by_rounding = ((stacked != other).sum() for other in (sequential, nudged))
        found = f"{by_stacking} of {stacked.size} cells differ, {by_rounding} by rounding"
        print(f"\n{kind}, {group}: {len(stacked)} components, {found}")
        assert by_stacking <= 2 * by_rounding + 1e-4 * stacked.size, found
        assert by_stacking < 5e-3 * stacked.size, found  # whatever rounding may do


def arm_of(together: Sequence[Pack], one_by_one: Sequence[Pack], source: bytes, kind: str) -> Arm | None:
    """None for what breaks in training, or draws random numbers that are not torch's."""
    try:
        replies = [train(job(packed, source, kind)) for packed in together]
        drawn, others = torch.default_generator.get_state(), (random.getstate(), np.random.get_state()[2])
        seed_everything(0)  # as training of the last stack begins
        if (random.getstate(), np.random.get_state()[2]) != others:
            return None
        if not torch.equal(torch.default_generator.get_state(), drawn):
            replies, together = [train(job(packed, source, kind)) for packed in one_by_one], one_by_one
    except Fault:
        return None
    nudged = [train(job(in_the_last_bit(packed), source, kind)) for packed in together]
    sequential = [train_sequential(job(packed, source, kind)) for packed in together]
    stacked, moved, plain = (
        np.concatenate([losses(reply, packed) for reply, packed in zip(way, together, strict=True)])
        for way in (replies, nudged, sequential)
    )
    draws = ", drawing" if together is one_by_one else ""
    return Arm(group=f"{replies[0].values['tier']}{draws}", stacked=stacked, nudged=moved, sequential=plain)


def in_the_last_bit(packed: Pack) -> Pack:
    """The same with initial parameters moved up or down by half of the last bit of a float32, all inputs up by one."""
    rng = np.random.default_rng(0)
    moved = {
        name: (array * (1 + 6e-8 * rng.choice([-1, 1], array.shape))).astype(np.float32)
        for name, array in packed.arrays.items()
        if "." in name
    }
    inputs = {name: packed.arrays[name] * np.float32(1 + 2**-23) for name in ("rows", "held_out")}
    return replace(packed, arrays={**packed.arrays, **moved, **inputs})


def test_the_tier_of_every_architecture_is_told(small: Pack) -> None:
    values = train(job(small, module(BATCHED["batch statistics and a buffer"]))).values
    assert values["tier"] == "vmap"
    assert values["tiers"] == dict.fromkeys(SMALL.architectures, "vmap")


def test_a_reply_is_float32_of_the_promised_shapes(small: Pack) -> None:
    reply = train(job(small, known("activation", "GELU")))
    assert {name: array.shape for name, array in reply.arrays.items()} == small.expects([1.0])
    assert all(array.dtype == np.float32 and array.flags["C_CONTIGUOUS"] for array in reply.arrays.values())
    assert json.loads(json.dumps(dict(reply.values))) == dict(reply.values)


def test_training_twice_gives_the_same_bits_and_leaves_the_pack_as_it_was(tiny: Pack) -> None:
    noisy = module("class Mine(nn.Module):\n    def forward(self, x):\n        return x + torch.rand_like(x)")
    before = digests(tiny)
    one, other = (train(job(tiny, noisy)).arrays["mlp2"] for _ in range(2))
    assert np.array_equal(one, other)
    assert digests(tiny) == before


def digests(packed: Pack) -> dict[str, str]:
    return {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in packed.arrays.items()}


def test_predictions_are_made_in_eval_mode(tiny: Pack) -> None:
    body = "class Mine(nn.Module):\n    def forward(self, x):\n        return x if self.training else 0 * x"
    predictions = train(job(tiny, module(body))).arrays["mlp2"]
    assert np.ptp(predictions, axis=2).max() == 0  # only biases are left: every example is told the same
    assert np.abs(predictions).max() > 0


def test_a_component_that_learns_is_trained_along(tiny: Pack) -> None:
    body = """
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Parameter(torch.tensor(0.25), requires_grad={})
            def forward(self, x):
                return torch.where(x > 0, x, self.a * x)
        """
    learnt, fixed = (train(job(tiny, module(body.format(on)))).arrays["mlp2"] for on in (True, False))
    assert np.abs(learnt - fixed).max() > 1e-3


EXPLODES = """
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(float({factor})), requires_grad=False)
        def forward(self, x):
            return torch.relu(x) * self.factor
    """
DRAWN = "'inf' if torch.rand(()) < 0.5 else 1"


def lost(predictions: np.ndarray[Any, np.dtype[np.generic]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return ~np.isfinite(predictions).all(axis=(0, 2, 3))


def test_a_replica_that_diverges_leaves_the_others_as_they_were(tiny: Pack) -> None:
    some = train(job(tiny, module(EXPLODES.format(factor=DRAWN)))).arrays["mlp2"]
    none = train(job(tiny, module(EXPLODES.format(factor=1)))).arrays["mlp2"]
    assert 0 < lost(some).sum() < len(lost(some))
    np.testing.assert_allclose(some[:, ~lost(some)], none[:, ~lost(some)], atol=1e-5)


RAISES_WHEN_NOT_FINITE = """
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("strength", torch.tensor(float({factor})))
        def forward(self, weights, activations):
            return 1e-3 * self.strength * sum(torch.linalg.svdvals(w)[0] for w in weights)
    """


@pytest.mark.parametrize("way", [train, train_sequential])
def test_a_decomposition_that_raises_on_a_diverged_replica_costs_only_that_one(
    tiny: Pack, way: Callable[[Job], Reply]
) -> None:
    some = way(job(tiny, module(RAISES_WHEN_NOT_FINITE.format(factor=DRAWN)), "regularizer")).arrays["mlp2"]
    none = way(job(tiny, module(RAISES_WHEN_NOT_FINITE.format(factor=1)), "regularizer")).arrays["mlp2"]
    assert 0 < lost(some).sum() < len(lost(some))
    np.testing.assert_allclose(some[:, ~lost(some)], none[:, ~lost(some)], atol=1e-4)


def test_when_every_replica_diverges_the_reply_still_has_its_shape(tiny: Pack) -> None:
    reply = train(job(tiny, module(RAISES_WHEN_NOT_FINITE.format(factor="'nan'")), "regularizer"))
    assert reply.arrays["mlp2"].shape == tiny.expects([1.0])["mlp2"]
    assert lost(reply.arrays["mlp2"]).all()


def test_factors_of_a_grid_train_beside_each_other_as_they_do_alone(small: Pack) -> None:
    """In a stack of all architectures, whose replicas differ in number."""
    learns = module(BATCHED["learnable and random at build"])
    both, one, other = (
        train(replace(wanted, options={**wanted.options, "factors": factors}))
        for wanted in [job(small, learns)]
        for factors in ([1.0, 0.1], [1.0], [0.1])
    )
    for name, predictions in both.arrays.items():
        alone = np.concatenate([one.arrays[name], other.arrays[name]], 1)
        np.testing.assert_allclose(predictions, alone, atol=1e-3)
        assert np.abs(one.arrays[name] - other.arrays[name]).max() > 0.1


def test_an_activation_that_raises_on_a_diverged_replica_costs_only_that_one(small: Pack) -> None:
    body = """
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("strength", torch.tensor(float({factor})))
            def forward(self, x):
                if not bool(torch.isfinite(x).all()):
                    raise ArithmeticError("not finite")
                return torch.relu(x) * self.strength
        """
    some, none = (train(job(small, module(body.format(factor=factor)))).arrays for factor in (DRAWN, 1))
    gone = np.concatenate([lost(predictions) for predictions in some.values()])
    assert 0 < gone.sum() < len(gone)
    for name, predictions in some.items():
        kept = ~lost(predictions)
        np.testing.assert_allclose(predictions[:, kept], none[name][:, kept], atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("activation", "class Mine(nn.Module):\n    def forward(self, x):\n        return x[..., :3]", "mlp2"),
        (
            "activation",
            "class Mine(nn.Module):\n    def forward(self, x):\n        raise KeyError('of mine')",
            "of mine",
        ),
        (
            "regularizer",
            "class Mine(nn.Module):\n    def forward(self, w, a):\n        return w[0].sum(0)",
            "one number",
        ),
    ],
)
def test_a_component_that_breaks_in_training_is_a_fault_that_says_why(
    tiny: Pack, kind: str, body: str, words: str
) -> None:
    with pytest.raises(Fault, match=words) as caught:
        train(job(tiny, module(body), kind))
    assert caught.value.check == "training"
