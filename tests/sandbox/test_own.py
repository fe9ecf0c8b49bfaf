"""A team's own model inside: each kind in its place, every arm from the same start, its faults told as its own."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault, Job, Reply
from sandbox.guest.own import train_own

ROWS, HELD_OUT, COLUMNS = 60, 20, 4
MODEL = """
    from torch import nn

    def make_model(component):
        return nn.Sequential(nn.Linear(4, 8), component(8), component(), nn.Linear(8, 8), component(), nn.Linear(8, 3))
    """
RELU = "import torch\n\ndef build():\n    return torch.nn.ReLU()\n"
TRAINED = {"steps": 6, "batch": 16, "learning_rate": 1e-2, "checkpoints": [4, 6], "seeds": [5, 6], "factors": [1.0]}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def reference(kind: str) -> str:
    return next(known.code for known in KINDS[kind].known if known.name == KINDS[kind].reference)


def trained(
    model: str = MODEL, source: str = RELU, kind: str = "activation", *, classes: int = 3, **more: Any
) -> Reply:
    rng = np.random.default_rng(0)
    rows = more.pop("rows", rng.standard_normal((ROWS + HELD_OUT, COLUMNS)).astype(np.float32))
    targets = rng.integers(classes, size=ROWS) if classes else rows[:ROWS, 0]
    pack = {
        "model": np.frombuffer(textwrap.dedent(model).encode(), np.uint8),
        "rows": rows[:ROWS],
        "held_out": rows[ROWS:],
        "targets": targets.astype(np.float32),
    }
    options = {**TRAINED, "device": "cpu", "classes": classes, **more}
    return train_own(Job(action="train_own", kind=kind, source=source.encode(), options=options, pack=pack))


def predictions(*arguments: Any, **more: Any) -> Any:
    return trained(*arguments, **more).arrays["predictions"]


def fault(*arguments: Any, **more: Any) -> Fault:
    with pytest.raises(Fault) as found:
        trained(*arguments, **more)
    return found.value


# --- every kind in its place


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_of_every_kind_trains_on_an_ordinary_model(kind: str) -> None:
    found = predictions(source=reference(kind), kind=kind)
    assert found.shape == (2, 2, HELD_OUT, 3)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("kind", "name"), [("normalizer", "Identity"), ("regularizer", "None"), ("schedule", "Constant")]
)
def test_what_changes_nothing_trains_as_the_model_does_with_relu(kind: str, name: str) -> None:
    code = next(known.code for known in KINDS[kind].known if known.name == name)
    np.testing.assert_allclose(predictions(source=code, kind=kind), predictions(), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_another_component_of_a_kind_gives_other_predictions(kind: str) -> None:
    codes = [known.code for known in KINDS[kind].known if known.baseline]
    found = [predictions(source=code, kind=kind) for code in codes[:4]]
    assert any(not np.allclose(one, found[0], rtol=1e-4) for one in found[1:])


def test_the_factors_of_the_grid_come_one_after_the_other() -> None:
    both = predictions(kind="schedule", source=reference("schedule"), factors=[0.1, 1.0])
    np.testing.assert_array_equal(both[:, 2:], predictions(kind="schedule", source=reference("schedule")))
    assert not np.allclose(both[:, :2], both[:, 2:])


def test_a_regularizer_sees_the_weights_and_what_the_activations_made() -> None:
    seen = """
        import torch

        class Seen(torch.nn.Module):
            def forward(self, weights, activations):
                assert [tuple(w.shape) for w in weights] == [(8, 4), (8, 8), (3, 8)], [w.shape for w in weights]
                assert [tuple(a.shape) for a in activations] == [(len(activations[0]), 8)] * 2
                assert all((a >= 0).all() for a in activations)
                return sum(w.square().sum() for w in weights)

        def build():
            return Seen()
        """
    assert np.isfinite(predictions(source=textwrap.dedent(seen), kind="regularizer")).all()


def test_a_normalizer_sees_rows_whatever_else_the_model_has() -> None:
    model = """
        import torch
        from torch import nn

        class Model(nn.Module):
            def __init__(self, component):
                super().__init__()
                self.normalize, self.out = component(2), nn.Linear(4, 3)
            def forward(self, x):
                return self.out(self.normalize(x.view(-1, 2, 2)).flatten(1))

        def make_model(component):
            return Model(component)
        """
    rows_only = """
        import torch

        class Rows(torch.nn.Module):
            def forward(self, x):
                assert x.ndim == 2
                return x

        def build(num_features):
            assert num_features == 2
            return Rows()
        """
    assert np.isfinite(predictions(model, textwrap.dedent(rows_only), "normalizer")).all()


def test_otherwise_stands_in_a_place_while_another_kind_is_tried() -> None:
    model = MODEL.replace("component()", "component(otherwise=nn.Tanh)")
    plain = MODEL.replace("component()", "nn.Tanh()")
    source = reference("schedule")
    np.testing.assert_array_equal(predictions(model, source, "schedule"), predictions(plain, source, "schedule"))


def test_a_preprocessor_may_widen_the_inputs_of_a_model_whose_first_layer_is_lazy() -> None:
    wide = textwrap.dedent(
        """
        import torch

        class Twice(torch.nn.Module):
            def fit(self, x):
                self.mean = x.mean(0)
            def forward(self, x):
                return torch.cat([x - self.mean, (x - self.mean).square()], 1)

        def build():
            return Twice()
        """
    )
    lazy = MODEL.replace("nn.Linear(4, 8)", "nn.LazyLinear(8)")
    assert np.isfinite(predictions(lazy, wide, "preprocessor")).all()
    assert fault(MODEL, wide, "preprocessor").check == "training"


def test_a_loss_has_no_place_in_a_regression() -> None:
    one_value = MODEL.replace("nn.Linear(8, 3)", "nn.Linear(8, 1)")
    found = fault(one_value, reference("loss"), "loss", classes=0)
    assert found.check == "place"
    assert "regression" in found.detail


# --- the same start and order for every arm


def test_a_copy_under_another_name_has_exactly_the_same_predictions() -> None:
    copy = (
        "import torch\nclass Mine(torch.nn.Module):\n    def forward(self, x):\n        return x.relu()\ndef build():\n"
    )
    np.testing.assert_array_equal(predictions(source=copy + "    return Mine()\n"), predictions())


def test_what_a_component_draws_shifts_nothing_in_the_model_around_it() -> None:
    draws = """
        import torch

        class Draws(torch.nn.Module):
            def __init__(self):
                super().__init__()
                torch.rand(7)
            def forward(self, x):
                return x.relu()

        def build():
            return Draws()
        """
    np.testing.assert_array_equal(predictions(source=textwrap.dedent(draws)), predictions())


def test_dropout_of_the_model_is_drawn_alike_in_every_arm() -> None:
    model = MODEL.replace("component(8), ", "nn.Dropout(0.5), ")
    copy = RELU.replace("torch.nn.ReLU()", "(torch.rand(3), torch.nn.ReLU())[1]")
    np.testing.assert_array_equal(predictions(model, copy), predictions(model))


def test_each_seed_starts_and_orders_its_own_way() -> None:
    found = predictions()
    assert not np.allclose(found[:, 0], found[:, 1])
    np.testing.assert_array_equal(found[:, 1:], predictions(seeds=[6]))


def test_a_seed_that_diverges_is_lost_and_nothing_is_raised() -> None:
    explode = (
        "import torch\nclass Mine(torch.nn.Module):\n    def forward(self, x):\n        return x * 1e30\ndef build():\n"
    )
    assert np.isnan(predictions(source=explode + "    return Mine()\n")[-1]).all()


# --- what models may be


def test_one_logit_for_two_classes_is_that_of_the_second() -> None:
    found = predictions(MODEL.replace("nn.Linear(8, 3)", "nn.Linear(8, 1), nn.Flatten(0)"), classes=2)
    assert found.shape[-1] == 2
    assert (found[..., 0] == 0).all()
    assert (found[..., 1] != 0).any()


@pytest.mark.parametrize("last", ["nn.Linear(8, 1)", "nn.Linear(8, 1), nn.Flatten(0)"])
def test_a_regression_returns_one_value_a_row(last: str) -> None:
    assert predictions(MODEL.replace("nn.Linear(8, 3)", last), classes=0).shape == (2, 2, HELD_OUT, 1)


def test_whole_numbers_reach_the_model_as_such() -> None:
    model = """
        from torch import nn

        def make_model(component):
            return nn.Sequential(nn.Embedding(9, 2), nn.Flatten(), component(), nn.Linear(8, 3))
        """
    tokens = np.random.default_rng(0).integers(9, size=(ROWS + HELD_OUT, 4))
    assert np.isfinite(predictions(model, rows=tokens)).all()


def test_the_reply_counts_parameters_and_the_places_in_the_model() -> None:
    values = trained().values
    assert values["places"] == {"activation": 2, "normalizer": 1}
    assert values["parameters"] == 4 * 8 + 8 + 8 * 8 + 8 + 8 * 3 + 3


# --- the model's own faults


@pytest.mark.parametrize(
    ("model", "check", "told"),
    [
        ("x = 1", "model entry", "make_model"),
        ("make_model = 3", "model entry", "make_model"),
        ("import ourlib\ndef make_model(component): ...", "model import", "ourlib"),
        ("def make_model(component):\n    return 1 / 0", "model build", "line 2 of the model"),
        ("def make_model(component):\n    return component", "model build", "torch.nn.Module"),
        ("def make_model(component):\n    return component('gelu')", "model build", "component()"),
        (
            "from torch import nn\ndef make_model(component):\n    return nn.Linear(5, 3)",
            "model output",
            "16x4 and 5x3",
        ),
        ("from torch import nn\ndef make_model(component):\n    return nn.Linear(4, 7)", "model output", "[16, 3]"),
        ("from torch import nn\ndef make_model(component):\n    return nn.Linear(4, 1)", "model output", "[16, 3]"),
    ],
)
def test_a_fault_of_the_model_says_so(model: str, check: str, told: str) -> None:
    kind = "activation" if check != "model output" else "schedule"
    found = fault(model, reference(kind), kind)
    assert found.check == check
    assert told in found.detail


def test_a_component_that_raises_is_blamed_itself() -> None:
    found = fault(source="import torch\ndef build():\n    raise ValueError('no')\n")
    assert found.check == "build"
