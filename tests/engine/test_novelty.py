"""N-score and duplicates: what is the same, what is equivalent, what is new."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from thinned import thinned

from engine.novelty import cited, judge, known_behaviours, same, similarity
from sandbox.guest.candidate import load
from sandbox.guest.components.kind import Behaviour, Kind, Known
from sandbox.guest.components.kinds import KINDS

ACTIVATION, REGULARIZER = KINDS["activation"], KINDS["regularizer"]
KNOWN = [pytest.param(kind, known, id=known.name) for kind in KINDS.values() for known in kind.known]
BY_NAME = {known.name: known for known in ACTIVATION.known}
FEATUREWISE = {"Softmax", "LWTA (pairs)", "GroupSort (pairs)"}
ELEMENTWISE = [pytest.param(one, id=one.name) for one in ACTIVATION.known if one.name not in FEATUREWISE | {"RReLU"}]

WRAPPED = """
{inner}

_inner = build


class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = _inner()

    def forward(self, x):
        return {outer}


def build():
    return Wrapped()
"""


def behaviour(kind: Kind, code: str) -> Behaviour:
    build = load(code.encode(), kind, module="tried")
    kind.check(build)
    return kind.behave(build)


def wrapped(known: Known, outer: str) -> Behaviour:
    return ACTIVATION.behave(load(WRAPPED.format(inner=known.code, outer=outer).encode(), ACTIVATION, module="tried"))


def spelled(expression: str, init: str = "pass") -> Behaviour:
    code = BY_NAME["ReLU"].code.replace("F.relu(x)", expression)
    code = code.replace(
        "    def forward", f"    def __init__(self):\n        super().__init__()\n        {init}\n\n    def forward"
    )
    return behaviour(ACTIVATION, code)


def penalty(body: str) -> Behaviour:
    known = next(known for known in REGULARIZER.known if known.name == "L2")
    head, _, tail = known.code.partition("        return ")
    return behaviour(REGULARIZER, head + f"        return {body}\n" + tail[tail.index("\n") + 1 :])


# --- duplicates


@pytest.mark.parametrize(("kind", "known"), thinned(KNOWN))
def test_everything_known_is_a_duplicate_of_itself_and_of_nothing_else(kind: Kind, known: Known) -> None:
    found = judge(kind, behaviour(kind, known.code))
    assert found.duplicate_of == found.nearest == known.name
    assert found.nearest_source == cited(known)
    assert found.n_score < 1e-6
    others = [
        name for name, other in known_behaviours(kind).items() if same(kind, known_behaviours(kind)[known.name], other)
    ]
    assert others == [known.name]


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("x * torch.sigmoid(x)", "SiLU"),
        ("x / (1 + torch.exp(-x))", "SiLU"),
        ("0.5 * x * (1 + torch.tanh(x / 2))", "SiLU"),
        ("x * (x > 0)", "ReLU"),
        ("torch.maximum(x, torch.zeros_like(x))", "ReLU"),
        ("(x + x.abs()) / 2", "ReLU"),
        ("0.5 * x * (1 + torch.erf(x / math.sqrt(2)))", "GELU"),
        ("x * torch.tanh(torch.log1p(torch.exp(x)))", "Mish"),
        ("torch.log(1 + torch.exp(x))", "Softplus"),
        ("2 * torch.sigmoid(2 * x) - 1", "Tanh"),
        ("x * F.relu6(x + 3) / 6", "Hardswish"),
        ("torch.where(x > 0, x, 0.01 * x)", "LeakyReLU"),
        ("torch.where(x > 0, x, torch.expm1(torch.clamp(x, max=0.0)))", "ELU"),
    ],
)
def test_another_spelling_is_a_duplicate(expression: str, name: str) -> None:
    assert judge(ACTIVATION, spelled(expression)).duplicate_of == name


def test_another_spelling_of_a_penalty_is_a_duplicate() -> None:
    assert judge(REGULARIZER, penalty("sum(5e-4 * (w ** 2).mean() * w.numel() for w in weights)")).duplicate_of == "L2"
    assert judge(REGULARIZER, penalty("activations[0].new_zeros(1)[0]")).duplicate_of == "None"


def test_a_penalty_that_is_not_reached_on_the_probe_set_is_not_taken_for_no_penalty() -> None:
    found = judge(REGULARIZER, penalty("sum(F.relu(w.abs() - 50).sum() for w in weights)"))
    assert (found.nearest, found.duplicate_of) == ("None", None)


@pytest.mark.parametrize(
    ("expression", "init"),
    [
        pytest.param("F.leaky_relu(x, 0.0101)", "pass", id="another constant"),
        pytest.param("F.gelu(x) + (F.relu(x) - F.gelu(x)).detach()", "pass", id="another gradient"),
        pytest.param("F.relu(F.dropout(x, 0.1, self.training))", "pass", id="another training mode"),
        pytest.param("F.relu(x) if self.training else F.gelu(x)", "pass", id="another eval mode"),
        pytest.param("F.relu(x) * self.a", "self.a = nn.Parameter(torch.tensor(1.0))", id="it learns"),
        pytest.param("F.relu(x - 1e-3 * x.mean(-1, keepdim=True))", "pass", id="it looks at other features"),
        pytest.param("F.relu(x - 1e-3 * x.mean(0) * self.training)", "pass", id="it looks at other rows"),
        pytest.param("torch.clamp(x, 0.0, 7.0)", "pass", id="it differs far out"),
    ],
)
def test_what_would_train_differently_is_not_a_duplicate(expression: str, init: str) -> None:
    assert judge(ACTIVATION, spelled(expression, init)).duplicate_of is None


def test_what_changes_with_training_is_not_a_duplicate_of_what_it_starts_as() -> None:
    code = BY_NAME["ReLU"].code.replace(
        "return F.relu(x)", "self.n += self.training\n        return F.relu(x) + 1e-3 * self.n * x"
    )
    code = code.replace("    def forward", "    n = -1\n\n    def forward")
    assert judge(ACTIVATION, behaviour(ACTIVATION, code)).duplicate_of is None


def test_an_earlier_hypothesis_is_found_again_but_what_is_known_comes_first() -> None:
    new, silu = spelled("torch.sin(x) * torch.tanh(x)"), spelled("x * torch.sigmoid(x)")
    assert judge(ACTIVATION, new).duplicate_of is None
    assert judge(ACTIVATION, new, [("Other", silu), ("Sine gate", new)]).duplicate_of == "Sine gate"
    assert judge(ACTIVATION, silu, [("Other", silu)]).duplicate_of == "SiLU"


# --- N-score


@pytest.mark.parametrize("known", thinned(ELEMENTWISE))
@pytest.mark.parametrize("outer", ["2 * self.inner(x)", "0.3 - 1.7 * self.inner(x)", "self.inner(-x)"])
def test_an_affine_map_of_the_output_or_a_mirror_image_is_equivalent_not_new(known: Known, outer: str) -> None:
    assert judge(ACTIVATION, wrapped(known, outer)).n_score < 1e-3


def test_a_scaled_function_is_equivalent_but_no_duplicate() -> None:
    found = judge(ACTIVATION, spelled("2 * F.relu(x)"))
    assert found.n_score < 1e-4
    assert (found.nearest, found.duplicate_of) == ("ReLU", None)


def test_a_scaled_input_is_another_function() -> None:
    assert judge(ACTIVATION, spelled("F.silu(4 * x)")).n_score > 0.01


def test_the_strength_of_a_penalty_is_not_new_but_its_sign_is() -> None:
    stronger = judge(REGULARIZER, penalty("0.123 * sum((w * w).sum() for w in weights) + 4"))
    assert stronger.n_score < 1e-4
    assert (stronger.nearest, stronger.duplicate_of) == ("L2", None)
    assert judge(REGULARIZER, penalty("-0.1 * sum((w * w).sum() for w in weights)")).n_score > 0.5


def test_scores_are_ordered_as_one_would_order_them() -> None:
    slightly, rather, very = (
        judge(ACTIVATION, spelled(expression)).n_score
        for expression in ("F.gelu(x) + 0.01 * torch.sin(x)", "x * torch.sigmoid(x) ** 3", "torch.cos(4 * x)")
    )
    assert 0 < slightly < 0.02 < rather < 0.3 < very <= 1


def test_judging_leaves_the_random_numbers_of_the_program_alone() -> None:
    from engine import novelty

    novelty._landmarks.clear()
    before = torch.random.get_rng_state()
    known_behaviours(REGULARIZER)
    assert torch.equal(before, torch.random.get_rng_state())


# --- invariances, for any behaviour

values = st.floats(-4, 4, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)
any_behaviour = st.fixed_dictionaries(
    {
        name: arrays(np.float32, shape, elements=values, fill=st.just(0.5))
        for name, shape in ACTIVATION.behaviour.items()
    }
)
any_penalty = st.fixed_dictionaries(
    {
        name: arrays(np.float32, shape, elements=values, fill=st.just(0.5))
        for name, shape in REGULARIZER.behaviour.items()
    }
)
factors = st.sampled_from([-3.0, -1.0, -0.25, 0.5, 2.0])


def affine(behaviour: Behaviour, factor: float, offset: float) -> Behaviour:
    added = {"curve": offset, "response": offset}
    return {name: (factor * array + added.get(name, 0.0)).astype(np.float32) for name, array in behaviour.items()}


def mirrored(behaviour: Behaviour) -> Behaviour:
    half = behaviour["response"].shape[1] // 2
    return {
        "curve": behaviour["curve"][:, ::-1],
        "slope": -behaviour["slope"][:, ::-1],
        "response": np.roll(behaviour["response"], half, axis=1),
        "gradient": -np.roll(behaviour["gradient"], half, axis=1),
        "learning": behaviour["learning"],
    }


def distance(kind: Kind, one: Behaviour, other: Behaviour) -> float:
    return float(np.linalg.norm(kind.canonical(one) - kind.canonical(other)))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(any_behaviour, factors, st.sampled_from([-2.0, 0.0, 5.0]))
def test_the_canonical_form_of_an_activation_ignores_affine_maps(b: Behaviour, factor: float, offset: float) -> None:
    assert distance(ACTIVATION, b, affine(b, factor, offset)) < 1e-3


@settings(max_examples=50, deadline=None, derandomize=True)
@given(any_behaviour)
def test_the_canonical_form_of_an_activation_ignores_mirroring(b: Behaviour) -> None:
    assert distance(ACTIVATION, b, mirrored(b)) < 1e-3


@settings(max_examples=50, deadline=None, derandomize=True)
@given(any_penalty, st.sampled_from([1e-3, 0.5, 20.0]))
def test_the_canonical_form_of_a_penalty_ignores_its_strength(b: Behaviour, factor: float) -> None:
    scaled = {name: (factor * array).astype(np.float32) for name, array in b.items()}
    assert distance(REGULARIZER, b, scaled) < 1e-5


@settings(max_examples=50, deadline=None, derandomize=True)
@given(any_behaviour, any_behaviour)
def test_being_the_same_is_symmetric_and_reflexive(one: Behaviour, other: Behaviour) -> None:
    assert same(ACTIVATION, one, one)
    assert same(ACTIVATION, one, other) == same(ACTIVATION, other, one)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(any_penalty, max_size=4))
def test_similarity_is_symmetric_between_zero_and_one_and_one_on_the_diagonal(behaviours: list[Behaviour]) -> None:
    found = similarity(REGULARIZER, behaviours)
    assert found.shape == (len(behaviours), len(behaviours))
    assert np.allclose(found, found.T)
    assert np.allclose(np.diag(found), 1.0)
    assert ((found >= 0) & (found <= 1)).all()
