"""Learning-rate schedules: each check refuses what it is for; a stack is trained at each step's own rate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.heldout import score
from engine.suite import SCREEN, Pack, pack
from engine.winrate import wins
from sandbox.guest.candidate import load
from sandbox.guest.components.kinds import KINDS, kind_named
from sandbox.guest.components.schedule import BEHAVIOUR, LENGTHS, multipliers
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.sequential import train_sequential
from sandbox.guest.train import train

KIND = KINDS["schedule"]
TINY = replace(
    SCREEN,
    datasets=("digits", "friedman1"),
    architectures={"mlp2": 2, "cnn": 1},
    steps=10,
    checkpoints=(8, 10),
    examples=32,
)


@pytest.fixture(scope="module")
def tiny() -> Pack:
    torch.set_num_threads(1)
    return pack(TINY, b"tests", (0, 1))


def schedule(body: str, before: str = "pass", top: str = "") -> str:
    """A module whose multiplier has this body; it reads `step`, `total_steps`, and `state`, a dictionary."""

    def lines(text: str, indent: int) -> str:
        return "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())

    return (
        f"import math, random\nimport torch\n{top}\ndef build(total_steps):\n    state = {{}}\n{lines(before, 4)}"
        f"    def multiplier(step):\n{lines(body, 8)}    return multiplier\n"
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
    "call": [
        schedule("return step / (total_steps - 1)"),
        schedule("return step / round(0.04 * total_steps)"),
        schedule("return [1.0, 0.5][step]"),
        schedule("return math.log(step)"),
    ],
    "type": [
        schedule("return None"),
        schedule("return (1.0, 0.5)"),
        schedule("return torch.ones(2)"),
        schedule("return '1.0'"),
        schedule("return 1j"),
    ],
    "finite": [schedule("return float('nan')"), schedule("return torch.tensor(1.0) / step")],
    "range": [schedule("return 1 - 2 * step / total_steps"), schedule("return 1.1 ** step"), schedule("return 1e9")],
    "zero": [schedule("return 0.0"), schedule("return step // total_steps")],
    "seed": [
        schedule("return int.from_bytes(open('/dev/urandom', 'rb').read(4), 'big') / 2**32"),
        schedule("CALLS.append(step)\nreturn 1 / len(CALLS)", top="CALLS = []"),
    ],
}


@pytest.mark.parametrize(
    ("check", "code"),
    [pytest.param(c, code, id=f"{c}-{n}") for c, codes in REFUSED.items() for n, code in enumerate(codes)],
)
def test_a_schedule_is_refused_by_the_check_that_it_breaks(check: str, code: str) -> None:
    found = refusal(code)
    assert found is not None
    assert found.check == check, found


@pytest.mark.parametrize("returned", ["None", "0.5", "[1.0] * total_steps"])
def test_what_cannot_be_called_breaks_the_contract(returned: str) -> None:
    with pytest.raises(Fault, match="must return a function") as caught:
        built(f"def build(total_steps):\n    return {returned}\n")(48)
    assert caught.value.check == "contract"


def test_a_refusal_names_the_step_and_the_length_in_which_it_failed() -> None:
    assert "step 9 of 10" in str(refusal(schedule("return 1.0 if step < 9 else -0.5")))
    assert "build(1)" in str(refusal(schedule("return step / (total_steps - 1)")))


ACCEPTED = {
    "an int": schedule("return 1"),
    "a tensor": schedule("return torch.tensor(0.5)"),
    "a tensor of one element": schedule("return torch.linspace(1, 0.1, total_steps)[step : step + 1]"),
    "an object": "class Mine:\n    def __init__(self, n):\n        self.n = n\n    def __call__(self, step):\n"
    "        return 1 - step / self.n\ndef build(total_steps):\n    return Mine(total_steps)\n",
    "a list's method": "def build(total_steps):\n    return [1.0 - i / total_steps for i in range(total_steps)]"
    ".__getitem__\n",
    "state": schedule("state['m'] = 0.99 * state.get('m', 1.0)\nreturn state['m']"),
    "begins at zero": schedule("return step / total_steps"),
    "off at times": schedule("return step % 2"),
    "off by rounding": schedule("return 10.000001 if step == 0 else 0.3 - 0.1 * 3"),
    "random": schedule("return float(torch.rand(()))"),
    "random from python under the seed": schedule("return random.random()"),
}


@pytest.mark.parametrize("code", ACCEPTED.values(), ids=list(ACCEPTED))
def test_an_honest_schedule_is_accepted(code: str) -> None:
    assert refusal(code) is None
    assert np.linalg.norm(KIND.canonical(KIND.behave(built(code)))) == pytest.approx(1)


@pytest.mark.parametrize("total", LENGTHS)
def test_a_schedule_is_asked_once_for_each_step_in_order(total: int) -> None:
    steps: list[int] = []

    def build(length: int) -> Any:
        assert length == total
        return lambda step: steps.append(step) or 1.0

    multipliers(build, total)
    assert steps == list(range(total))


# --- training


def predictions(packed: Pack, source: str, way: Any = train, factors: tuple[float, ...] = (1.0,)) -> Reply:
    options = {**packed.options, "device": "cpu", "factors": list(factors)}
    reply: Reply = way(
        Job(action="train", kind="schedule", source=source.encode(), options=options, pack=packed.arrays)
    )
    return reply


def losses(packed: Pack, reply: Reply) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.inf if t.loss is None else t.loss for t in score(reply.arrays, packed.held_out)])


CATALOGUE = [
    json.loads(line)
    for line in (Path(engine.__file__).parent / "catalogue" / "schedule.jsonl").read_text().splitlines()
]


def test_schedules_in_a_stack_win_and_lose_as_in_sequential_training(tiny: Pack) -> None:
    sources = {known.name: known.code for known in KIND.baselines[:3]}
    sources |= {"random": ACCEPTED["random"], "with state": ACCEPTED["state"]}
    sources |= {entry["id"]: entry["code"] for entry in CATALOGUE[::9]}
    stacked, sequential = (
        np.stack([losses(tiny, predictions(tiny, source, way)) for source in sources.values()])
        for way in (train, train_sequential)
    )
    for arm, name in enumerate(sources):
        assert np.array_equal(wins(stacked[arm], stacked), wins(sequential[arm], sequential)), name


def test_each_step_is_taken_at_the_schedules_rate(tiny: Pack) -> None:
    """Nothing is trained where it is 0; half of it is half the factor of the grid."""
    constant, half = schedule("return 1.0"), schedule("return 0.5")
    stopped = schedule("return 1.0 if step < 8 else 0.0")
    whole = predictions(tiny, constant).arrays["mlp2"]
    np.testing.assert_allclose(predictions(tiny, stopped).arrays["mlp2"][0], whole[0], rtol=1e-5)
    assert not np.allclose(predictions(tiny, stopped).arrays["mlp2"][1], whole[1], rtol=1e-3)
    found = predictions(tiny, half).arrays["mlp2"]
    np.testing.assert_allclose(found, predictions(tiny, constant, factors=(0.5,)).arrays["mlp2"], rtol=1e-4, atol=1e-5)


def test_a_schedule_that_fails_only_at_the_length_of_a_training_is_told_why(tiny: Pack) -> None:
    with pytest.raises(Fault, match="-1 in step 9 of 10"):
        predictions(tiny, schedule("return -1.0 if step == 9 else 1.0"))


# --- what follows from the behaviour

shapes = st.lists(st.floats(0.01, 5), min_size=4, max_size=8)


def behaviour_of(values: list[float], scale: float = 1.0) -> Any:
    grids = {name: np.linspace(0, 1, total) for name, (total,) in BEHAVIOUR.items()}
    knots = np.linspace(0, 1, len(values))
    return {name: (scale * np.interp(x, knots, values)).astype(np.float32) for name, x in grids.items()}


@given(values=shapes, scale=st.floats(0.05, 2))
def test_the_canonical_form_knows_no_base_rate(values: list[float], scale: float) -> None:
    one, other = (KIND.canonical(behaviour_of(values, factor)) for factor in (1.0, scale))
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)


def test_a_schedule_that_differs_only_in_long_trainings_is_told_apart() -> None:
    late = built(schedule("return 1.0 if step < 48 else 0.1"))
    constant = built(schedule("return 1.0"))
    one, other = (KIND.canonical(KIND.behave(build)) for build in (late, constant))
    assert np.linalg.norm(one - other) > 0.3


def test_the_drawing_has_both_lengths_over_one_axis() -> None:
    drawing = KIND.drawing(KIND.behave(built(schedule("return 1 - step / total_steps"))))
    assert [(len(s.x), float(s.x[0])) for s in drawing.series] == [(320, 0.0), (48, 0.0)]
    np.testing.assert_allclose(np.interp(drawing.series[1].x, *_xy(drawing.series[0])), drawing.series[1].y, atol=1e-6)


def _xy(series: Any) -> tuple[Any, Any]:
    return series.x, series.y


def test_there_are_at_least_eight_baselines() -> None:
    assert len(KIND.baselines) >= 8


@pytest.mark.parametrize("word", ["LR schedulers", "learning-rate schedule", "learning rate decay", "schedule"])
def test_a_schedule_is_known_by_the_words_people_use(word: str) -> None:
    assert kind_named(word) is KIND
