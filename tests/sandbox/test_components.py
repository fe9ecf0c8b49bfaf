"""The kinds: each named check refuses what it is for and nothing else; everything published and catalogued is tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from thinned import thinned

from sandbox.guest.candidate import load
from sandbox.guest.components.kind import Kind, Known
from sandbox.guest.components.kinds import KINDS, kind_named
from sandbox.guest.job import Fault

CATALOGUE = Path(__file__).parents[2] / "engine" / "catalogue"
ACTIVATION, REGULARIZER = KINDS["activation"], KINDS["regularizer"]
KNOWN = [pytest.param(kind, known, id=known.name) for kind in KINDS.values() for known in kind.known]


def built(kind: Kind, source: str) -> Any:
    return load(source.encode(), kind, module="tried")


def refusal(kind: Kind, source: str) -> Fault | None:
    try:
        kind.check(built(kind, source))
    except Fault as found:
        return found
    return None


def module(arguments: str, body: str, init: str = "pass", before: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    inits = "".join(f"        {line}\n" for line in init.splitlines())
    return (
        "import math, random, time\nimport numpy as np\nimport torch\nfrom torch import nn\n"
        f"from torch.nn import functional as F\n{before}\nclass Mine(nn.Module):\n    def __init__(self):\n"
        f"        super().__init__()\n{inits}    def forward(self, {arguments}):\n{lines}\n"
        "def build():\n    return Mine()\n"
    )


def activation(body: str, init: str = "pass", before: str = "") -> str:
    return module("x", body, init, before)


def regularizer(body: str, init: str = "pass") -> str:
    return module("weights, activations", body, init)


# --- the kinds


def test_kinds_are_found_by_being_there() -> None:
    assert {"activation", "regularizer", "schedule"} <= KINDS.keys()


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("activation", "activation"),
        ("Activation Functions", "activation"),
        ("non-linearities", "activation"),
        ("regulariser", "regularizer"),
        ("  weight   decay ", "regularizer"),
        ("penalties", "regularizer"),
        ("poem", None),
        ("", None),
    ],
)
def test_a_kind_is_known_by_the_words_people_use(word: str, name: str | None) -> None:
    kind = kind_named(word)
    assert (kind.name if kind else None) == name


def test_no_word_means_two_kinds() -> None:
    names = [name for kind in KINDS.values() for name in {kind.name, kind.title, kind.plural, *kind.synonyms}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_what_is_known_has_unique_names_sources_and_years(kind: Kind) -> None:
    assert len({known.name for known in kind.known}) == len(kind.known)
    assert all(known.source and 1900 < known.year < 2027 for known in kind.known)
    assert kind.reference in {known.name for known in kind.known}
    assert 1 <= sum(known.best for known in kind.known) <= 2
    assert all(known.baseline for known in kind.known if known.best)


def test_activations_have_the_ten_baselines_and_at_least_sixty_known_functions() -> None:
    names = "ReLU LeakyReLU ELU SELU GELU SiLU Mish Tanh Softplus Hardswish"
    assert [known.name for known in ACTIVATION.baselines] == names.split()
    assert len(ACTIVATION.known) >= 60


def test_regularizers_have_at_least_eight_baselines() -> None:
    assert len(REGULARIZER.baselines) >= 8


@pytest.mark.parametrize(("kind", "known"), thinned(KNOWN))
def test_everything_known_keeps_its_kinds_contract(kind: Kind, known: Known) -> None:
    build = built(kind, known.code)
    kind.check(build)
    behaviour = kind.behave(build)
    assert {name: array.shape for name, array in behaviour.items()} == dict(kind.behaviour)
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in behaviour.values())
    assert abs(float(np.linalg.norm(kind.canonical(behaviour))) - (known.name != "None")) < 1e-5
    assert all(len(one.x) == len(one.y) for one in kind.drawing(behaviour).series)


CATALOGUED = [
    pytest.param(KINDS[entry["kind"]], entry["id"], entry["code"], id=entry["id"])
    for path in sorted(CATALOGUE.glob("*.jsonl"))
    for entry in map(json.loads, path.read_text().splitlines())
    if entry["kind"] in KINDS
]
RIGHTLY_REFUSED = {
    "reg-inc-018": "sizes",  # multiplies neighbouring matrices, which do not fit in a convolutional net
    "reg-nov-027": "sizes",  # likewise
    "pre-nov-037": "sizes",  # takes three columns at a time; two spirals have two
    "pre-nov-048": "sizes",  # likewise
    "aug-inc-007": "inputs",  # folds every row into a picture, whatever it is
    "aug-nov-004": "shape",  # the inverse transform of an odd number of inputs has one less
    "aug-nov-006": "input modified",  # strengthens rows in place
    "ini-nov-011": "fill",  # its window is wider than the two inputs of two spirals
}


@pytest.mark.parametrize(("kind", "entry", "code"), thinned(CATALOGUED))
def test_the_catalogue_is_accepted_but_for_what_is_wrong_in_it(kind: Kind, entry: str, code: str) -> None:
    found = refusal(kind, code)
    if found is None:
        behaviour = kind.behave(built(kind, code))
        assert all(np.isfinite(array).all() for array in behaviour.values())
    else:
        assert RIGHTLY_REFUSED.get(entry) == found.check, found


# --- activations, check by check

REFUSED_ACTIVATIONS = {
    "forward": [
        activation("return x.nothing"),
        activation("return x.view(32, 16).relu().view(5, 5)"),
        activation("return x.relu().item()"),
    ],
    "type": [activation("return x, x"), activation("return None"), activation("return x.detach().numpy()")],
    "shape": [activation("return x.sum(-1)"), activation("return torch.cat([x, -x], -1).relu()")],
    "dtype": [activation("return x.double()"), activation("return x.half()"), activation("return x + 0j")],
    "input modified": [activation("return F.relu_(x)"), activation("x[..., 0] = 0\nreturn x.relu()")],
    "rank": [
        activation("n, d = x.shape\nreturn x.relu()"),
        activation("return x @ torch.eye(x.shape[1])"),
    ],
    "features": [
        activation("return x * torch.linspace(1, 2, 16)[: x.shape[-1]]"),
        activation("return x.relu() if x.shape[-1] % 2 == 0 else x[..., 99].relu()"),
    ],
    "batch": [activation("if len(x) < 2:\n    raise ValueError('too small')\nreturn x.relu()")],
    "finite output": [
        activation("return torch.exp(x * x)"),
        activation("return torch.log(x)"),
        activation("return 1 / x"),
    ],
    "constant output": [activation("return x * 0 + 3"), activation("return torch.ones_like(x)")],
    "gradient": [
        activation("return x.detach().relu()"),
        activation("return torch.sign(x)"),
        activation("return (x > 0).float() + self.p", "self.p = nn.Parameter(torch.tensor(0.0))"),
    ],
    "finite gradient": [
        activation("return x.abs().sqrt()"),
        activation("return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-8) + (x * x).sum(-1, keepdim=True).sqrt()"),
    ],
    "repeat": [
        activation(
            "if self.training:\n    self.mean = 0.9 * self.mean + 0.1 * (x * x).mean()\n"
            "return x * torch.sigmoid(torch.as_tensor(self.mean))",
            "self.mean = 0.0",
        )
    ],
    "eval mode": [
        activation("return F.dropout(x, 0.5)"),
        activation("self.calls += 1\nreturn x * (1 + 0.01 * self.calls)", "self.calls = 0"),
    ],
    "seed": [
        activation(
            "return x * self.a", "self.a = 1 + int.from_bytes(open('/dev/urandom', 'rb').read(4), 'big') / 2**33"
        )
    ],
}
REFUSED = [
    pytest.param(check, code, id=f"{check}-{n}")
    for check, codes in REFUSED_ACTIVATIONS.items()
    for n, code in enumerate(codes)
]


@pytest.mark.parametrize(("check", "code"), REFUSED)
def test_an_activation_is_refused_by_the_check_that_it_breaks(check: str, code: str) -> None:
    found = refusal(ACTIVATION, code)
    assert found is not None
    assert found.check == check, found


ACCEPTED_ACTIVATIONS = {
    "in place on a copy": activation("y = x.clone()\ny.relu_()\nreturn y"),
    "returns its input": activation("return x"),
    "overflows far out": activation("return torch.exp(x)"),
    "learnable": activation("return x * torch.sigmoid(self.b * x)", "self.b = nn.Parameter(torch.tensor(1.0))"),
    "lazy": activation("return x * torch.sigmoid(self.gate(x))", "self.gate = nn.LazyLinear(1)"),
    "random in training": activation("return F.dropout(x, 0.1, self.training).relu()"),
    "random from python under the seed": activation("return x * (1 + random.random() * self.training)"),
    "random weights": activation("return x * self.a", "self.a = nn.Parameter(torch.randn(()))"),
    "batch statistics": activation("return F.relu((x - x.mean(0)) / (x.std(0, correction=0) + 1e-3))"),
    "feature statistics": activation("return x * torch.softmax(x, -1) * x.shape[-1]"),
    "running statistics": activation(
        "m = x.detach().mean()\nif self.training:\n    self.mean.mul_(0.9).add_(0.1 * m)\nreturn F.relu(x - self.mean)",
        "self.register_buffer('mean', torch.zeros(()))",
    ),
    "counts its training steps": activation(
        "self.steps += self.training\nreturn torch.maximum(x, x * 0.1 / (1 + self.steps))", "self.steps = 0"
    ),
    "branches on data": activation("return x.relu() if x.mean() > 0 else F.gelu(x)"),
    "loops and reads items": activation("return x * (1 + max(float(x.detach().max()), 0.0) * 0.01)"),
    "custom gradient": activation(
        "return Step.apply(x)",
        before="class Step(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n"
        "        ctx.save_for_backward(x)\n        return (x > 0).to(x.dtype)\n    @staticmethod\n"
        "    def backward(ctx, g):\n        return g * torch.exp(-ctx.saved_tensors[0] ** 2)\n",
    ),
    "positive features only": activation("return torch.where(x > 0, x * x, torch.zeros_like(x))"),
    "other imports": activation("return x * (1 + 0.0 * np.pi * time.time() * 0)"),
}


@pytest.mark.parametrize("code", ACCEPTED_ACTIVATIONS.values(), ids=list(ACCEPTED_ACTIVATIONS))
def test_an_honest_activation_is_accepted(code: str) -> None:
    assert refusal(ACTIVATION, code) is None
    behaviour = ACTIVATION.behave(built(ACTIVATION, code))
    assert all(np.isfinite(array).all() for array in behaviour.values())


def test_a_refusal_says_on_what_it_failed() -> None:
    assert "±20" in str(refusal(ACTIVATION, activation("return torch.exp(x * x)")))
    assert "[32, 64]" in str(refusal(ACTIVATION, activation("return x * torch.ones(16)[: x.shape[-1]]")))
    named = activation("return x * self.slope.sqrt()", "self.slope = nn.Parameter(torch.tensor(0.0))")
    assert "`slope`" in str(refusal(ACTIVATION, named.replace("x * self", "x + x.relu() * self")))


# --- regularizers, check by check

L2 = "sum((w * w).sum() for w in weights)"
REFUSED_REGULARIZERS = {
    "forward": [regularizer("return weights[99].sum()"), regularizer("return (weights[0] @ activations[0]).sum()")],
    "type": [regularizer("return None"), regularizer("return [w.sum() for w in weights]")],
    "scalar": [regularizer("return weights[0]"), regularizer("return torch.stack([w.norm() for w in weights])")],
    "dtype": [regularizer("return (weights[0] > 0).sum()"), regularizer("return weights[0].sum() * 1j")],
    "input modified": [
        regularizer(f"weights[0].mul_(0.9)\nreturn {L2}"),
        regularizer(f"weights.pop()\nreturn {L2}"),
        regularizer(f"activations[0] = activations[0] * 2\nreturn {L2}"),
    ],
    "sizes": [
        regularizer("m = weights[0]\nfor w in weights[1:]:\n    m = w @ m\nreturn m.square().sum()"),
        regularizer("return sum((a.mean(0) * w.norm(dim=1)).sum() for a, w in zip(activations, weights))"),
    ],
    "finite output": [
        regularizer("return sum(torch.log(w.abs().sum(0)).sum() for w in weights)"),
        regularizer("return sum(torch.exp(a * a).sum() for a in activations)"),
    ],
    "gradient": [
        regularizer("return sum(w.detach().square().sum() for w in weights)"),
        regularizer("return float(sum(w.square().sum() for w in weights))"),
        regularizer("return sum(w.sign().sum() + w.shape[0] for w in weights)"),
    ],
    "finite gradient": [
        regularizer("return sum(a.var(0).sqrt().sum() for a in activations)"),
        regularizer("return sum(w.square().sum(0).sqrt().sum() for w in weights)"),
    ],
    "repeat": [
        regularizer(f"self.mean = 0.9 * self.mean + 0.1 * {L2}\nreturn self.mean", "self.mean = 0.0"),
    ],
    "no effect": [regularizer("return weights[0].new_tensor(5.0)"), regularizer("return 0.5")],
    "seed": [
        regularizer(
            f"return self.a * {L2}", "self.a = 1 + int.from_bytes(open('/dev/urandom', 'rb').read(4), 'big') / 2**33"
        )
    ],
}
REFUSED = [
    pytest.param(check, code, id=f"{check}-{n}")
    for check, codes in REFUSED_REGULARIZERS.items()
    for n, code in enumerate(codes)
]


@pytest.mark.parametrize(("check", "code"), REFUSED)
def test_a_regularizer_is_refused_by_the_check_that_it_breaks(check: str, code: str) -> None:
    found = refusal(REGULARIZER, code)
    assert found is not None
    assert found.check == check, found


ACCEPTED_REGULARIZERS = {
    "nothing": regularizer("return 0.0"),
    "only weights": regularizer(f"return 1e-3 * {L2}"),
    "only activations": regularizer("return 1e-3 * sum(a.abs().mean() for a in activations)"),
    "one element": regularizer(f"return ({L2}).reshape(1)"),
    "negative": regularizer("return -1e-3 * sum(torch.log1p(a.var(0)).sum() for a in activations)"),
    "only large weights": regularizer("return sum(F.relu(w.abs() - 2).sum() for w in weights)"),
    "only huge weights": regularizer("return 0.5 + sum(F.relu(w.abs() - 99).sum() for w in weights)"),
    "pulls towards the start": regularizer(
        "if self.start is None:\n    self.start = [w.detach().clone() for w in weights]\n"
        "return sum((w - s).square().sum() for w, s in zip(weights, self.start))",
        "self.start = None",
    ),
    "begins later": regularizer(f"self.steps += 1\nreturn {L2} * (self.steps > 1)", "self.steps = 0"),
    "learnable": regularizer(f"return F.softplus(self.a) * {L2}", "self.a = nn.Parameter(torch.tensor(-5.0))"),
    "random": regularizer("return sum((w * torch.randn_like(w)).sum().square() for w in weights)"),
    "looks at sizes": regularizer(
        "return sum((a.mean(0) * w.norm(dim=1)).sum() for a, w in zip(activations, weights) if a.shape[1] == len(w))"
        " + 1e-3 * weights[-1].square().sum()"
    ).replace("w.norm(dim=1)", "(w.square().sum(1) + 1e-8).sqrt()"),
}


@pytest.mark.parametrize("code", ACCEPTED_REGULARIZERS.values(), ids=list(ACCEPTED_REGULARIZERS))
def test_an_honest_regularizer_is_accepted(code: str) -> None:
    assert refusal(REGULARIZER, code) is None
    behaviour = REGULARIZER.behave(built(REGULARIZER, code))
    assert all(np.isfinite(array).all() for array in behaviour.values())
