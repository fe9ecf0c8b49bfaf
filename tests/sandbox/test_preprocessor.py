"""Preprocessors: the contract check by check, what they may see, the tables and first weights that nets then get."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.heldout import score
from engine.novelty import judge, same
from engine.suite import SCREEN, Pack, pack, suite_of
from engine.winrate import wins
from sandbox.guest.candidate import load
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.harness import component_seed
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.sequential import train_sequential
from sandbox.guest.train import tensors_of, train

PREPROCESSOR = KINDS["preprocessor"]
SMALL = replace(
    SCREEN,
    datasets=("digits", "spirals", "friedman1"),
    architectures={"mlp2": 3, "res": 2},
    steps=12,
    checkpoints=(9, 12),
    examples=32,
    rows=300,
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def small() -> Pack:
    return pack(SMALL, b"tests", (0, 1))


def preprocessor(forward: str, fit: str = "pass", init: str = "pass") -> str:
    head = "import math\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
    init, fit, forward = (textwrap.indent(body, " " * 8) for body in (init, fit, forward))
    return (
        f"{head}\nclass Mine(nn.Module):\n    def __init__(self):\n        super().__init__()\n{init}\n"
        f"    def fit(self, x):\n{fit}\n    def forward(self, x):\n{forward}\n\ndef build():\n    return Mine()\n"
    )


def known(name: str) -> str:
    return next(entry.code for entry in PREPROCESSOR.known if entry.name == name)


def built(source: str) -> Any:
    return load(source.encode(), PREPROCESSOR, module="tried")


def refusal(source: str) -> Fault | None:
    try:
        PREPROCESSOR.check(built(source))
    except Fault as found:
        return found
    return None


def job(packed: Pack, source: str) -> Job:
    options = {**packed.options, "device": "cpu", "factors": [1.0]}
    return Job(action="train", kind="preprocessor", source=source.encode(), options=options, pack=packed.arrays)


def losses(reply: Reply, packed: Pack) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.inf if t.loss is None else t.loss for t in score(reply.arrays, packed.held_out)])


def prepared(packed: Pack, source: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The pack before and after."""
    before = tensors_of(packed.arrays, torch.device("cpu"))
    return before, PREPROCESSOR.prepare(built(source), dict(before))


# --- check by check

STANDARD = "self.mean, self.scale = x.mean(0), 1 / (x.std(0) + 1e-3)"
URANDOM = "self.a = 1 + int.from_bytes(open('/dev/urandom', 'rb').read(4), 'big') / 2**33"
REFUSED = {
    "fit": [
        preprocessor("return x * 1").replace("def fit", "def prepare"),
        preprocessor("return x * 1", "x.nothing"),
        preprocessor("return x * 1").replace("fit(self, x)", "fit(self, x, y)"),
    ],
    "forward": [preprocessor("return x.nothing"), preprocessor("return x @ torch.eye(3)")],
    "type": [preprocessor("return x, x"), preprocessor("return x.numpy()")],
    "shape": [preprocessor("return x.mean(1)"), preprocessor("return x[:5]"), preprocessor("return x[:, None]")],
    "dtype": [preprocessor("return x.double()"), preprocessor("return (x > 0)")],
    "width": [
        preprocessor("return x.repeat(1, 99)"),
        preprocessor("return x[:, :0]"),
        preprocessor("return x[:, : 1 + len(x) // 9]"),
    ],
    "input modified": [preprocessor("x -= 1\nreturn x"), preprocessor("return x * 1", "x.clamp_(-1, 1)")],
    "sizes": [
        preprocessor("return x[:, [0, 1, 2]]"),
        preprocessor("return x * self.scale", "self.scale = torch.ones(10)[: x.shape[1]]"),
    ],
    "finite output": [
        preprocessor("return (x - self.mean) / self.std", "self.mean, self.std = x.mean(0), x.std(0)"),
        preprocessor("return torch.log(x - self.low)", "self.low = x.amin(0) - 1"),
        preprocessor("return torch.exp(x * x)"),
    ],
    "constant output": [preprocessor("return 0 * x"), preprocessor("return self.mean.expand(len(x), -1)", STANDARD)],
    "repeat": [
        preprocessor("return x + torch.rand_like(x)"),
        preprocessor("self.calls += 1\nreturn x * self.calls", init="self.calls = 0"),
        preprocessor("return F.dropout(x, 0.5)"),
    ],
    "rows": [
        preprocessor("return x - x.mean(0)"),
        preprocessor("return x.argsort(0).argsort(0).float() / len(x)"),
        preprocessor("return x if len(x) > 1 else 2 * x"),
        preprocessor("return torch.cumsum(x, 0)"),
    ],
    "seed": [preprocessor("return x * self.a", URANDOM)],
}


@pytest.mark.parametrize(
    ("check", "source"),
    [pytest.param(c, s, id=f"{c}-{n}") for c, sources in REFUSED.items() for n, s in enumerate(sources)],
)
def test_a_preprocessor_is_refused_by_the_check_that_it_breaks(check: str, source: str) -> None:
    found = refusal(source)
    assert found is not None
    assert found.check == check, found


ACCEPTED = {
    "nothing to fit": preprocessor("return torch.asinh(x)"),
    "returns its input": preprocessor("return x"),
    "fit returns itself": preprocessor("return x * 1", "return self"),
    "one output": preprocessor("return x.sum(1, keepdim=True)"),
    "as wide as allowed": preprocessor("return F.pad(x, (0, 3 * x.shape[1] + 64))"),
    "as wide as the data need": preprocessor(
        "return (x - self.mean) @ self.turn",
        "self.mean = x.mean(0)\n_, s, v = torch.linalg.svd(x - self.mean, full_matrices=False)\n"
        "share = (s.square() / s.square().sum()).cumsum(0)\nself.turn = v[: int((share < 0.95).sum()) + 1].T",
    ),
    "random in fit": preprocessor("return torch.cos(x @ self.w)", "self.w = torch.randn(x.shape[1], 20)"),
    "random in build": preprocessor("return x * self.a", init="self.a = torch.rand(())"),
    "learns in fit": preprocessor(
        "return torch.tanh(x @ self.w.detach())",
        "self.w = nn.Parameter(0.1 * torch.randn(x.shape[1], 4))\n"
        "for _ in range(3):\n    z = torch.tanh(x / 100 @ self.w) @ self.w.T\n"
        "    (g,) = torch.autograd.grad((z - x / 100).square().mean(), self.w)\n"
        "    self.w.data.sub_(0.1 * g)",
    ),
    "steps at what fit saw": preprocessor(
        "return (x @ self.w > self.median).float()",
        "self.w = torch.randn(x.shape[1], 8)\nself.median = (x @ self.w).median(0).values",
    ),
    "buffers": preprocessor(
        "return (x - self.mean) * self.scale",
        STANDARD.replace("self.mean, self.scale =", "self.mean, scale =") + "\nself.register_buffer('scale', scale)",
    ),
}


@pytest.mark.parametrize("source", ACCEPTED.values(), ids=list(ACCEPTED))
def test_an_honest_preprocessor_is_accepted(source: str) -> None:
    assert refusal(source) is None
    behaviour = PREPROCESSOR.behave(built(source))
    assert all(np.isfinite(array).all() for array in behaviour.values())


def test_a_refusal_says_on_what_it_failed() -> None:
    assert "constant columns" in str(refusal(REFUSED["finite output"][0]))
    assert "4 d + 64 = 104" in str(refusal(REFUSED["width"][0]))
    assert "rows of 2 inputs" in str(refusal(REFUSED["sizes"][0]))


def test_there_are_ten_baselines() -> None:
    assert len(PREPROCESSOR.baselines) == 10


# --- the tables that nets get

DRAWN = ACCEPTED["random in fit"]


@pytest.mark.parametrize("source", [known("PCA whitening"), DRAWN, ACCEPTED["as wide as the data need"]])
def test_every_net_reads_its_rows_as_a_preprocessor_of_its_own_makes_them(small: Pack, source: str) -> None:
    before, after = prepared(small, source)
    for replica, dataset in enumerate(before["dataset"].tolist()):
        inputs = int(before["inputs"][replica])
        torch.manual_seed(component_seed(int(before["seeds"][replica]), 0))
        component = built(source)()
        component.fit(before["rows"][before["rows_of"][dataset] : before["rows_of"][dataset + 1], :inputs].clone())
        for rows, positions in (("rows", "order"), ("held_out", "asked")):
            wanted = component(before[rows][before[positions][:, replica].flatten(), :inputs]).detach()
            found = after[rows][after[positions][:, replica].flatten()]
            assert int(after["inputs"][replica]) == wanted.shape[1]
            torch.testing.assert_close(found[:, : wanted.shape[1]], wanted, rtol=1e-4, atol=1e-4)
            assert not found[:, wanted.shape[1] :].any()
        assert torch.equal(after["targets"][after["order"]], before["targets"][before["order"]])


def test_the_pack_is_left_as_it_was(small: Pack) -> None:
    before, _ = prepared(small, DRAWN)
    assert all(torch.equal(torch.from_numpy(array.copy()), before[name]) for name, array in small.arrays.items())


def test_fit_sees_the_training_rows_alone(small: Pack) -> None:
    remembers = preprocessor(
        "return self.seen.expand(len(x), -1) + 0 * x[:, :1]", "self.seen = x.sum((0, 1)).view(1, 1)"
    )
    _, after = prepared(small, remembers)
    arrays = {**small.arrays, "held_out": small.arrays["held_out"] * 7 + 1}
    _, again = prepared(replace(small, arrays=arrays), remembers)
    assert torch.equal(after["rows"], again["rows"])
    assert torch.equal(after["held_out"], again["held_out"])
    digits = small.arrays["rows"][: small.arrays["rows_of"][1]]
    np.testing.assert_allclose(after["rows"][0, 0], digits.sum(), rtol=1e-4)


def test_nothing_is_fitted_twice_where_nothing_is_drawn(small: Pack) -> None:
    trials, datasets = len(small.arrays["seeds"]), len(SMALL.datasets)
    for source, times in ((known("ZCA whitening"), datasets), (DRAWN, trials), (ACCEPTED["random in build"], trials)):
        _, after = prepared(small, source)
        assert len(after["rows"]) == times / datasets * len(small.arrays["rows"])


def test_arms_of_different_widths_start_alike(small: Pack) -> None:
    _, one = prepared(small, preprocessor("return x * 1"))
    _, wide = prepared(small, preprocessor("return torch.cat([x, x], 1)"))
    for name in ("mlp2.0", "res.0"):
        for replica, inputs in enumerate(one["inputs"][: len(one[name])].tolist()):
            scaled = wide[name][replica, :inputs] * 2**0.5
            torch.testing.assert_close(scaled, one[name][replica, :inputs])
            assert one[name][replica, :inputs].abs().max() <= inputs**-0.5
            assert not one[name][replica, inputs:].any()
    assert not torch.equal(one["mlp2.0"][0], one["mlp2.0"][1])
    assert not torch.equal(one["mlp2.0"][0], one["res.0"][0])


# --- training


def test_a_stack_wins_and_loses_as_sequential_training_does(small: Pack) -> None:
    sources = [known("Identity"), known("ZCA whitening"), DRAWN, ACCEPTED["as wide as the data need"]]
    stacked, sequential = (
        np.stack([losses(way(job(small, source)), small) for source in sources]) for way in (train, train_sequential)
    )
    for arm in range(len(sources)):
        assert np.array_equal(wins(stacked[arm], stacked), wins(sequential[arm], sequential))


def test_values_that_are_not_finite_cost_only_the_trials_of_that_data_set(small: Pack) -> None:
    source = preprocessor("return x if x.shape[1] != 2 else x / 0")
    lost = np.isinf(losses(train(job(small, source)), small))
    cells = [name for count in small.held_out.stacks.values() for name, _, _ in small.held_out.replicas[:count]]
    assert lost.tolist() == [name == "spirals" for name in cells]


def test_one_that_breaks_on_a_data_set_is_a_fault_that_says_where(small: Pack) -> None:
    source = preprocessor("return x", "if x.shape == (300, 2):\n    raise KeyError('of mine')")
    with pytest.raises(Fault, match="fit on 300 rows of 2 inputs raised KeyError: 'of mine'") as caught:
        train(job(small, source))
    assert caught.value.check == "training"


def test_every_baseline_trains_and_a_copy_ties_while_a_broken_one_loses(small: Pack) -> None:
    table = np.stack([losses(train(job(small, baseline.code)), small) for baseline in PREPROCESSOR.baselines])
    assert np.isfinite(table).all()
    copied = losses(train(job(small, known("ZCA whitening") + "\n# a copy\n")), small)
    number = [baseline.name for baseline in PREPROCESSOR.baselines].index("ZCA whitening")
    assert np.array_equal(copied, table[number])
    broken = losses(train(job(small, preprocessor("return torch.sin(1e6 * x.sum(1, keepdim=True))"))), small)
    assert wins(broken, table).mean() < 0.05


def test_a_screening_has_thirty_trials_and_no_convolutions() -> None:
    suite = suite_of(PREPROCESSOR)
    assert len(suite.cells) * len(suite.seeds) == 30
    assert "cnn" not in suite.architectures


# --- what novelty and the plot see


def point(source: str) -> Any:
    return PREPROCESSOR.canonical(PREPROCESSOR.behave(built(source)))


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(0.05, 20), shift=st.floats(-5, 5), seed=st.integers(0, 99), sign=st.sampled_from([-1, 1]))
def test_the_canonical_form_does_not_see_rotations_factors_and_shifts(
    factor: float, shift: float, seed: int, sign: int
) -> None:
    turned = preprocessor(
        f"z = torch.tanh((x - self.mean) * self.scale)\n"
        f"return {sign * factor} * F.pad(z @ self.turn, (0, 3)) + {shift}",
        STANDARD + f"\nnoise = torch.randn(x.shape[1], x.shape[1], generator=torch.Generator().manual_seed({seed}))\n"
        "self.turn = torch.linalg.qr(noise)[0]",
    )
    plain = preprocessor("return torch.tanh((x - self.mean) * self.scale)", STANDARD)
    np.testing.assert_allclose(point(turned), point(plain), atol=1e-4)


def test_whitening_is_one_idea_in_every_rotation_but_no_duplicate() -> None:
    np.testing.assert_allclose(point(known("PCA whitening")), point(known("ZCA whitening")), atol=1e-4)
    pca, zca = (PREPROCESSOR.behave(built(known(f"{name} whitening"))) for name in ("PCA", "ZCA"))
    assert not same(PREPROCESSOR, pca, zca)
    assert np.linalg.norm(point(known("PCA whitening")) - point(known("Standardization"))) > 0.2


def test_another_spelling_is_a_duplicate() -> None:
    spelled = preprocessor(
        "return torch.nan_to_num((x - self.m) / self.v.sqrt(), 0.0, 0.0, 0.0) * (self.v > 1e-12)",
        "self.m, self.v = x.mean(0), x.var(0, correction=0)",
    )
    assert judge(PREPROCESSOR, PREPROCESSOR.behave(built(spelled))).duplicate_of == "Standardization"


def test_the_drawing_is_flat_where_it_whitens_and_round_where_it_measures_angles() -> None:
    whitened, plain, rows = (
        PREPROCESSOR.drawing(PREPROCESSOR.behave(built(known(name))))
        for name in ("PCA whitening", "Identity", "Rows of unit length")
    )
    assert np.ptp(whitened.series[0].y[:10]) < 0.01
    assert np.ptp(plain.series[0].y[:10]) > 1
    assert plain.images[0].pixels.argmin() == plain.images[0].pixels.size // 2
    along = [float(rows.images[0].pixels[row, 12]) for row in (0, 12, 18)]
    assert max(along) < 0.05  # the middle is straight above the origin: all on its ray look alike
