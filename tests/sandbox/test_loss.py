"""Losses: each check refuses what it is for; behaviour as a loss ages; a stack is trained on each net's own classes."""

from __future__ import annotations

from collections.abc import Mapping
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
from sandbox.guest.components.kind import Behaviour, Known
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.sequential import train_sequential
from sandbox.guest.train import train

KIND = KINDS["loss"]
TINY = replace(
    SCREEN,
    datasets=("digits", "spirals"),
    architectures={"mlp2": 2, "cnn": 1},
    steps=12,
    checkpoints=(10, 12),
    examples=32,
    metric="brier",
)


@pytest.fixture(scope="module")
def tiny() -> Pack:
    torch.set_num_threads(1)
    return pack(TINY, b"tests", (0, 1))


def loss(body: str, init: str = "pass", top: str = "") -> str:
    """A module whose forward has this body; it reads `logits` and `targets`."""

    def lines(text: str) -> str:
        return "".join(f"        {line}\n" for line in text.splitlines())

    return (
        f"import math, random\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n{top}\n"
        f"class Mine(nn.Module):\n    def __init__(self):\n        super().__init__()\n{lines(init)}"
        f"    def forward(self, logits, targets):\n{lines(body)}\ndef build():\n    return Mine()\n"
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


# --- the functional test

CE = "F.cross_entropy(logits, targets)"
SQRT = "p = torch.exp(-F.cross_entropy(logits, targets, reduction='none'))\nreturn (1 - p).sqrt().mean()"
REFUSED = {
    "forward": [loss("return logits.nothing"), loss("return F.mse_loss(logits, targets)")],
    "type": [loss("return None"), loss(f"return {CE}.item()"), loss(f"return ({CE}, 0)")],
    "scalar": [loss("return F.cross_entropy(logits, targets, reduction='none')")],
    "dtype": [loss(f"return {CE}.double()"), loss("return (logits.argmax(1) != targets).sum()")],
    "input modified": [loss(f"logits.mul_(2)\nreturn {CE}"), loss(f"targets[0] = 0\nreturn {CE}")],
    "finite output": [
        loss("return -torch.log(logits.exp().gather(1, targets[:, None]) - 1).mean()"),
        loss("return torch.log(logits.std()) + F.cross_entropy(logits, targets)"),
    ],
    "gradient": [
        loss("return (logits.argmax(1) != targets).float().mean()"),
        loss(f"return {CE}.detach()"),
        loss(f"return {CE} * 0"),
    ],
    "finite gradient": [loss(SQRT)],
    "repeat": [loss(f"self.mean = 0.9 * self.mean + 0.1 * {CE}\nreturn self.mean", "self.mean = 0.0")],
    "targets": [loss("return -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()")],
    "classes": [
        loss(f"return {CE} + (logits * self.w).mean()", "self.w = nn.Parameter(torch.ones(10))"),
        loss(f"return {CE} + logits[:, 2].square().mean()"),
    ],
    "batch": [loss(f"return {CE} * (1 + logits[1].square().mean())"), loss(f"return {CE} + logits[31].mean()")],
    "seed": [loss(f"return self.a * {CE}", "self.a = int.from_bytes(open('/dev/urandom', 'rb').read(4), 'big') + 1")],
}
REFUSALS = [pytest.param(c, code, id=f"{c}-{n}") for c, codes in REFUSED.items() for n, code in enumerate(codes)]


@pytest.mark.parametrize(("check", "code"), REFUSALS)
def test_a_loss_is_refused_by_the_check_that_it_breaks(check: str, code: str) -> None:
    found = refusal(code)
    assert found is not None
    assert found.check == check, found


ACCEPTED = {
    "one element": loss(f"return {CE}.reshape(1)"),
    "negative": loss("return logits.log_softmax(1).exp().gather(1, targets[:, None]).mean() * -1"),
    "a sum": loss("return F.cross_entropy(logits, targets, reduction='sum')"),
    "the log of a softmax that is kept from zero": loss("return F.nll_loss((logits.softmax(1) + 1e-9).log(), targets)"),
    "overflows only far out": loss("return torch.exp(-logits.gather(1, targets[:, None])).mean()"),
    "learnable": loss(f"return {CE} * self.a.exp() - self.a", "self.a = nn.Parameter(torch.tensor(0.0))"),
    "lazy": loss(
        "return F.cross_entropy(logits + self.shift(logits), targets)", "self.shift = nn.LazyLinear(1, bias=False)"
    ),
    "batch statistics": loss("return F.cross_entropy(logits / (logits.std() + 1), targets)"),
    "warms up without its targets": loss(
        f"self.steps += 1\nreturn {CE} if self.steps > 2 else logits.square().mean() + 0 * {CE}", "self.steps = 0"
    ),
    "random": loss("return F.cross_entropy(logits + 0.1 * torch.randn_like(logits), targets)"),
    "reads items": loss(f"return {CE} * (1 + float(logits.detach().mean().abs()))"),
    "hinge": known("Multiclass hinge").code,
}


@pytest.mark.parametrize("code", ACCEPTED.values(), ids=list(ACCEPTED))
def test_an_honest_loss_is_accepted(code: str) -> None:
    assert refusal(code) is None
    assert all(np.isfinite(array).all() for array in behaviour(code).values())


def test_a_refusal_says_on_what_it_failed() -> None:
    assert "±40" in str(refusal(loss(SQRT)))
    assert "[32, 2]" in str(refusal(REFUSED["classes"][1]))
    assert "[1, 10]" in str(refusal(REFUSED["batch"][0]))


# --- behaviour


@settings(deadline=None, max_examples=8)
@given(st.floats(0.01, 100), st.floats(-10, 10), st.sampled_from(KIND.known))
def test_the_n_score_does_not_see_a_factor_or_a_constant(factor: float, constant: float, one: Known) -> None:
    wrapped = one.code.replace("return Loss()", "return Wrapped()") + (
        "\n\nclass Wrapped(Loss):\n    def forward(self, logits, targets):\n"
        f"        return {factor} * super().forward(logits, targets) + {constant}\n"
    )
    found = KIND.canonical(behaviour(wrapped))
    assert np.linalg.norm(found - KIND.canonical(behaviour(one.code))) < 1e-3


def test_another_spelling_is_a_duplicate_and_a_temperature_is_not() -> None:
    spelled = "z = logits - logits.logsumexp(1, keepdim=True)\nreturn -z[torch.arange(len(z)), targets].mean()"
    assert judge(KIND, behaviour(loss(spelled))).duplicate_of == "Cross-entropy"
    assert judge(KIND, behaviour(loss("return F.cross_entropy(logits / 3, targets)"))).duplicate_of is None


@pytest.mark.parametrize("where", ["self.steps", "STATE[0]"])
def test_what_starts_as_something_known_and_becomes_another_is_no_duplicate(where: str) -> None:
    body = f"{where} += 1\nreturn {CE} if {where} < 40 else F.multi_margin_loss(logits, targets)"
    late = loss(body, "self.steps = 0\nself.unpicklable = lambda: 0", "STATE = [0]")
    assert judge(KIND, behaviour(late)).duplicate_of is None


def test_what_learns_is_not_the_same_as_what_does_not() -> None:
    learns = behaviour(loss(f"return self.a * {CE}", "self.a = nn.Parameter(torch.tensor(1.0))"))
    assert not same(KIND, learns, behaviour(known("Cross-entropy").code))


def test_the_drawing_is_the_loss_over_the_margin_and_its_slope() -> None:
    drawn = KIND.drawing(behaviour(known("Cross-entropy").code))
    two, slope, ten, _ = drawn.series
    assert [one.name for one in drawn.series] == ["2 classes", "2 classes, slope", "10 classes", "10 classes, slope"]
    np.testing.assert_allclose(two.y - two.y[-1], np.log1p(np.exp(-two.x)) - np.log1p(np.exp(-6)), atol=1e-5)
    np.testing.assert_allclose(slope.y, -1 / (1 + np.exp(slope.x)), atol=1e-5)
    np.testing.assert_allclose(ten.y - ten.y[-1], np.log1p(9 * np.exp(-ten.x)) - np.log1p(9 * np.exp(-6)), atol=1e-5)


# --- training

SPREAD = "logits.detach().std()"
BATCHED = {
    "batch statistics": loss(f"return F.cross_entropy(logits / ({SPREAD} + 0.1), targets)"),
    "learnable and random at build": loss(
        f"return self.a * {CE} - self.a.log()", "self.a = nn.Parameter(torch.rand(()) + 0.5)"
    ),
    "a buffer": loss(
        f"self.mean.mul_(0.9).add_(0.1 * {SPREAD})\nreturn F.cross_entropy(logits / (0.1 + self.mean), targets)",
        "self.register_buffer('mean', torch.zeros(()))",
    ),
    "another branch for two classes": loss(
        f"return {CE} if logits.shape[1] > 2 else F.multi_margin_loss(logits, targets)"
    ),
}
LOOPED = {
    "a branch on the data": loss(f"return {CE} if logits.mean() > 0 else F.multi_margin_loss(logits, targets)"),
    "a tensor kept as an attribute": loss(
        f"self.mean = 0.9 * self.mean + 0.1 * {SPREAD}\nreturn F.cross_entropy(logits / (0.1 + self.mean), targets)",
        "self.mean = 0.0",
    ),
    "reads items after some steps": loss(
        f"self.steps += 1\nby = 1 if self.steps < 6 else 1 + {SPREAD}.item()\n"
        "return F.cross_entropy(logits / by, targets)",
        "self.steps = 0",
    ),
    "a lazy weight of its classes": loss(
        "return F.cross_entropy(logits + self.shift(logits), targets)", "self.shift = nn.LazyLinear(1, bias=False)"
    ),
}


def job(packed: Pack, source: str) -> Job:
    options = {**packed.options, "device": "cpu", "factors": [1.0]}
    return Job(action="train", kind="loss", source=source.encode(), options=options, pack=packed.arrays)


def losses(reply: Reply, packed: Pack) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.inf if t.loss is None else t.loss for t in score(reply.arrays, packed.held_out)])


def test_a_stack_wins_and_loses_as_sequential_training_does(tiny: Pack) -> None:
    sources: Mapping[str, str] = {"cross-entropy": known("Cross-entropy").code, **BATCHED, **LOOPED}
    stacked, sequential = (
        np.stack([losses(way(job(tiny, source)), tiny) for source in sources.values()])
        for way in (train, train_sequential)
    )
    for arm, name in enumerate(sources):
        assert np.array_equal(wins(stacked[arm], stacked), wins(sequential[arm], sequential)), name


@pytest.mark.parametrize("name", BATCHED)
def test_what_treats_its_batch_alone_is_batched(tiny: Pack, name: str) -> None:
    assert train(job(tiny, BATCHED[name])).values["tier"] == "vmap"


def test_what_would_be_wrong_in_one_call_for_all_nets_is_looped(tiny: Pack) -> None:
    assert train(job(tiny, LOOPED["a branch on the data"])).values["tier"] == "loop"


def test_what_fails_in_one_call_for_all_nets_only_later_is_trained_again_in_a_loop(tiny: Pack) -> None:
    assert train(job(tiny, LOOPED["reads items after some steps"])).values["tier"] == "loop"


def test_every_net_is_trained_on_the_classes_of_its_own_task(tiny: Pack) -> None:
    strict = loss(
        f"assert logits.shape[1] in (2, 10) and logits.min() > -1e6\nassert targets.max() < logits.shape[1]\n"
        f"return {CE}"
    )
    plain = losses(train(job(tiny, known("Cross-entropy").code)), tiny)
    np.testing.assert_allclose(losses(train(job(tiny, strict)), tiny), plain, rtol=1e-4)


def test_a_loss_that_learns_is_trained_along(tiny: Pack) -> None:
    body = "return F.cross_entropy(logits * self.a, targets)"
    learnt, fixed = (
        train(job(tiny, loss(body, f"self.a = nn.Parameter(torch.tensor(1.0), requires_grad={on})"))).arrays["mlp2"]
        for on in (True, False)
    )
    assert np.abs(learnt - fixed).max() > 1e-3


def test_a_loss_that_is_no_number_in_training_is_a_fault(tiny: Pack) -> None:
    with pytest.raises(Fault, match="one number") as caught:
        train(job(tiny, loss("return F.cross_entropy(logits, targets, reduction='none')")))
    assert caught.value.check == "training"


def test_the_published_losses_come_in_the_order_that_is_known_of_them() -> None:
    torch.set_num_threads(1)
    suite = replace(suite_of(KIND), architectures={"mlp2": 3}, seeds=(0,))
    packed = pack(suite, b"tests", (0,))
    table = {one.name: losses(train(job(packed, one.code)), packed) for one in KIND.baselines}
    against_all = {name: wins(own, np.stack(list(table.values()))).mean() for name, own in table.items()}
    assert min(against_all["Cross-entropy"], against_all["Label smoothing"]) > 0.6
    assert against_all["Mean absolute error"] < 0.2
    broken = losses(train(job(packed, loss("return F.cross_entropy(-logits, targets)"))), packed)
    assert wins(broken, np.stack(list(table.values()))).mean() < 0.02
    copy = losses(train(job(packed, known("Focal").code.replace("Loss", "Renamed"))), packed)
    assert np.array_equal(copy, table["Focal"])


def test_losses_are_tried_on_classifications_and_judged_by_their_brier_score() -> None:
    suite = suite_of(KIND)
    assert suite.datasets == ("digits", "mnist1d", "spirals")
    assert len(suite.cells) * len(suite.seeds) == 33
    assert (suite.metric, suite.grid) == ("brier", (1 / 3, 1.0, 3.0))
