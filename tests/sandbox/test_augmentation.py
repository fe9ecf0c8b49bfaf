"""Augmentations, the worked example of the documentation: what they may do, and where they go in training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.heldout import score
from engine.novelty import judge
from engine.suite import SCREEN, Pack, pack, suite_of
from engine.understand import Propose, understand
from engine.winrate import wins
from sandbox.guest.candidate import load
from sandbox.guest.components.kind import Behaviour, Known
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.sequential import train_sequential
from sandbox.guest.train import train

KIND = KINDS["augmentation"]
TINY = replace(
    SCREEN,
    datasets=("digits", "mnist1d", "spirals"),
    architectures={"mlp2": 3, "cnn": 1},
    steps=10,
    checkpoints=(8, 10),
    examples=32,
)


@pytest.fixture(scope="module")
def tiny() -> Pack:
    torch.set_num_threads(1)
    return pack(TINY, b"tests", (0, 1))


def augmentation(body: str, init: str = "pass") -> str:
    """A module whose forward has this body; it reads `x`."""

    def lines(text: str) -> str:
        return "".join(f"        {line}\n" for line in text.splitlines())

    return (
        "import math, random\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
        f"class Mine(nn.Module):\n    def __init__(self):\n        super().__init__()\n{lines(init)}"
        f"    def forward(self, x):\n{lines(body)}\ndef build():\n    return Mine()\n"
    )


def built(source: str) -> Any:
    return load(source.encode(), KIND, module="tried")


def refusal(source: str) -> Fault | None:
    try:
        KIND.check(built(source))
    except Fault as found:
        return found
    return None


def behaviour(source: str) -> Behaviour:
    return KIND.behave(built(source))


def known(name: str) -> Known:
    return next(entry for entry in KIND.known if entry.name == name)


REFUSED = {
    "forward": [augmentation("return x.nothing")],
    "type": [augmentation("return x, x")],
    "shape": [augmentation("return torch.cat([x, x + 0.1 * torch.randn_like(x)])"), augmentation("return x[:, 1:]")],
    "dtype": [augmentation("return x > 0")],
    "input modified": [augmentation("x[torch.rand(len(x)) < 0.5] *= 2\nreturn x")],
    "inputs": [augmentation("return x.view(len(x), 8, 8).flip(2).flatten(1)")],
    "batch": [augmentation("return (x + x[1]) / 2")],
    "finite output": [augmentation("return x / torch.rand_like(x).round()")],
    "seed": [augmentation("return x * int.from_bytes(open('/dev/urandom', 'rb').read(4), 'big')")],
}
REFUSALS = [pytest.param(c, code, id=f"{c}-{n}") for c, codes in REFUSED.items() for n, code in enumerate(codes)]
ACCEPTED = {
    "nothing": augmentation("return x"),
    "mixes rows": augmentation("return 0.9 * x + 0.1 * x[torch.randperm(len(x))]"),
    "one draw for the batch": augmentation("return x.roll(int(torch.randint(-1, 2, ())), 1)"),
    "fades out": augmentation("self.t += 1\nreturn x + torch.randn_like(x) / self.t", "self.t = 0"),
    "learns": augmentation("return x + self.a * torch.randn_like(x)", "self.a = nn.Parameter(torch.tensor(0.1))"),
    "in place on a copy": augmentation("y = x.clone()\ny[:, 0] = 0\nreturn y"),
    "looks at the width": augmentation("return x.view(-1, 8, 8).mT.flatten(1) if x.shape[1] == 64 else x"),
}


@pytest.mark.parametrize(("check", "code"), REFUSALS)
def test_an_augmentation_is_refused_by_the_check_that_it_breaks(check: str, code: str) -> None:
    found = refusal(code)
    assert found is not None
    assert found.check == check, found


@pytest.mark.parametrize("code", ACCEPTED.values(), ids=list(ACCEPTED))
def test_an_honest_augmentation_is_accepted(code: str) -> None:
    assert refusal(code) is None
    assert all(np.isfinite(array).all() for array in behaviour(code).values())


@settings(deadline=None, max_examples=10)
@given(st.floats(0.01, 10), st.sampled_from([one for one in KIND.known if one.name != "None"]))
def test_the_n_score_does_not_see_how_strong_a_change_is(strength: float, one: Known) -> None:
    wrapped = one.code.replace("return Augmentation()", "return Wrapped()") + (
        "\n\nclass Wrapped(Augmentation):\n    def forward(self, x):\n"
        f"        return x + {strength} * (super().forward(x) - x)\n"
    )
    found = KIND.canonical(behaviour(wrapped))
    assert np.linalg.norm(found - KIND.canonical(behaviour(one.code))) < 1e-2


def test_another_way_to_draw_the_same_noise_is_near_but_nothing_new() -> None:
    drawn = "return x + 0.2 * torch.stack([torch.randn(x.shape[1]) for _ in x])"
    found = judge(KIND, behaviour(augmentation(drawn)))
    assert found.nearest.startswith("Gaussian noise")
    assert found.n_score < 0.1
    assert judge(KIND, behaviour(known("Cutout").code)).duplicate_of == "Cutout"


def test_what_takes_from_the_nearest_other_row_is_not_taken_for_doing_nothing() -> None:
    borrowed = "near = torch.cdist(x, x) + 1e9 * torch.eye(len(x))\nreturn (x + x[near.argmin(1)]) / 2"
    assert judge(KIND, behaviour(augmentation(borrowed))).duplicate_of is None


# --- training


def job(packed: Pack, source: str) -> Job:
    options = {**packed.options, "device": "cpu", "factors": [1.0]}
    return Job(action="train", kind="augmentation", source=source.encode(), options=options, pack=packed.arrays)


def losses(reply: Reply, packed: Pack) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.inf if t.loss is None else t.loss for t in score(reply.arrays, packed.held_out)])


TIERS = {  # without randomness, which a stack draws in another order
    "direct": augmentation("return torch.tanh(2 * x) / 2"),
    "vmap": augmentation(
        "self.mean.mul_(0.5).add_(0.5 * x.mean(0))\nreturn x - self.a * self.mean",
        "self.register_buffer('mean', torch.zeros(()))\nself.a = nn.Parameter(torch.tensor(0.5))",
    ).replace("x.mean(0)", "x.mean()"),
    "loop": augmentation("return x.roll(1, 1) if x.mean() > 0 else x.flip(1)"),
}


def test_a_stack_wins_and_loses_as_sequential_training_does(tiny: Pack) -> None:
    stacked, sequential = (
        np.stack([losses(way(job(tiny, source)), tiny) for source in TIERS.values()])
        for way in (train, train_sequential)
    )
    for arm, tier in enumerate(TIERS):
        assert np.array_equal(wins(stacked[arm], stacked), wins(sequential[arm], sequential)), tier


@pytest.mark.parametrize("tier", TIERS)
def test_the_fastest_tier_that_is_right_is_taken(tiny: Pack, tier: str) -> None:
    assert train(job(tiny, TIERS[tier])).values["tier"] == tier


@pytest.mark.parametrize("way", [train, train_sequential])
def test_only_the_true_inputs_are_seen_and_only_in_training(tiny: Pack, way: Any) -> None:
    strict = augmentation("assert x.shape[1] in (64, 40, 2)\nreturn x * 1.0 if self.training else x * math.nan")
    found = losses(way(job(tiny, strict)), tiny)
    np.testing.assert_allclose(found, losses(way(job(tiny, known("None").code)), tiny), rtol=1e-5)


def test_an_augmentation_of_another_shape_in_training_is_a_fault_that_says_so(tiny: Pack) -> None:
    with pytest.raises(Fault, match=r"\[32, 63\]") as caught:
        train(job(tiny, augmentation("return x[:, 1:] if len(x) == 32 and x.shape[1] == 64 else x")))
    assert caught.value.check == "training"


def test_replicas_draw_different_numbers(tiny: Pack) -> None:
    """Two trials that differ in their draws alone end at different places."""
    twins = {name: np.repeat(array[:, :1], array.shape[1], 1) for name, array in tiny.arrays.items() if name == "order"}
    same = {
        name: np.repeat(array[:1], len(array), 0) for name, array in tiny.arrays.items() if name.startswith("mlp2.")
    }
    own = {name: np.repeat(tiny.arrays[name][:1], 6) for name in ("inputs", "classes", "seeds")}
    asked = {"asked": np.repeat(tiny.arrays["asked"][:, :1], 6, 1)}
    packed = replace(tiny, arrays={**tiny.arrays, **twins, **same, **own, **asked})
    options = {"architectures": ["mlp2"]}
    for name in ("Gaussian noise (0.5)", "Scaling", "Time masking"):
        asking = job(packed, known(name).code)
        found = train(replace(asking, options={**asking.options, **options})).arrays["mlp2"]
        assert np.abs(found[:, 0] - found[:, 1]).max() > 1e-3, name


def test_inputs_that_are_nothing_but_noise_lose_to_every_baseline_and_a_copy_ties() -> None:
    torch.set_num_threads(1)
    suite = replace(suite_of(KIND), architectures={"mlp2": 3}, steps=48, checkpoints=SCREEN.checkpoints)
    packed = pack(suite, b"tests", (0,))
    table = {one.name: losses(train(job(packed, one.code)), packed) for one in KIND.baselines}
    drowned = losses(train(job(packed, augmentation("return 9 * torch.randn_like(x)"))), packed)
    assert wins(drowned, np.stack(list(table.values()))).max() == 0
    copy = losses(train(job(packed, known("Cutout").code.replace("Augmentation", "Renamed"))), packed)
    assert np.array_equal(copy, table["Cutout"])


def test_rows_come_again_and_again_in_the_screening() -> None:
    suite = suite_of(KIND)
    assert suite.rows is not None
    assert suite.steps * suite.batch / suite.rows == 24
    assert max(suite.checkpoints) == suite.steps
    assert len(suite.cells) * len(suite.seeds) == 33


@pytest.mark.parametrize("text", ["propose 5 augmentations", "suggest five data augmentations for small signals"])
def test_one_asks_for_augmentations_as_for_any_kind(text: str) -> None:
    meant = understand(text, KINDS)
    assert isinstance(meant, Propose)
    assert (meant.kinds, meant.counts) == (("augmentation",), (5,))
