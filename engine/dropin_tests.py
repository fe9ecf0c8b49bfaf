"""The test that goes out with a finding: what a component of its kind must do, in a few lines of plain torch."""

from __future__ import annotations

HEAD = '''"""What `{module}.build` must do as {article} {title}, and that it is the very module that was measured."""

import hashlib
from pathlib import Path

import torch
from torch import nn

from {module} import build


def test_it_is_the_module_that_was_measured():
    source = Path(__file__).with_name("{module}.py").read_bytes()
    assert hashlib.sha256(source).hexdigest() == "{digest}"
'''

SAME_SHAPE = """

def test_it_keeps_shape_and_dtype_and_carries_a_gradient():
    torch.manual_seed(0)
    x = torch.randn(32, 16, requires_grad=True)
    y = {made}.train()(x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    y.square().mean().backward()
    assert torch.isfinite(y).all() and torch.isfinite(x.grad).all() and x.grad.any()


def test_in_eval_mode_the_same_input_gives_the_same_output():
    torch.manual_seed(0)
    component, x = {made}, torch.randn(32, 16)
    component.train()(x)
    component.eval()
    assert torch.equal(component(x), component(x))
"""

BODIES = {
    "activation": SAME_SHAPE.replace("{made}", "build()"),
    "normalizer": SAME_SHAPE.replace("{made}", "build(16)"),
    "augmentation": """

def test_it_keeps_shape_and_dtype_and_leaves_its_input_alone():
    torch.manual_seed(0)
    x = torch.randn(32, 64)
    before = x.clone()
    y = build().train()(x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert torch.isfinite(y).all() and torch.equal(x, before)
""",
    "regularizer": """

def test_it_is_a_finite_number_with_a_gradient():
    torch.manual_seed(0)
    weights = [torch.randn(16, 8, requires_grad=True), torch.randn(4, 16, requires_grad=True)]
    activations = [torch.randn(32, 16, requires_grad=True)]
    penalty = build()(weights, activations)
    assert penalty.numel() == 1 and torch.isfinite(penalty).all()
    penalty.sum().backward()
    assert any(t.grad is not None and t.grad.any() for t in [*weights, *activations])
""",
    "preprocessor": """

def test_it_is_fitted_and_treats_rows_alike():
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    component = build()
    component.fit(x)
    y = component(x)
    assert len(y) == 64 and torch.isfinite(y).all()
    assert torch.allclose(component(x[:5]), y[:5], rtol=1e-4, atol=1e-5)
""",
    "loss": """

def test_it_is_a_finite_number_that_is_smaller_where_the_answer_is_right():
    targets = torch.arange(4)
    right = 5.0 * torch.eye(4)
    wrong = right.roll(1, 0)
    right.requires_grad_()
    value = build()(right, targets)
    assert value.numel() == 1 and torch.isfinite(value).all()
    assert value < build()(wrong, targets)
    value.backward()
    assert torch.isfinite(right.grad).all()
""",
    "optimizer": """

def test_it_makes_a_simple_loss_smaller():
    torch.manual_seed(0)
    net, x = nn.Linear(8, 1), torch.randn(64, 8)
    y = x.sum(1, keepdim=True)
    optimizer = build(list(net.parameters()), 1e-2)
    losses = []
    for _ in range(200):
        optimizer.zero_grad()
        loss = (net(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < losses[0]
""",
    "schedule": """

def test_every_multiplier_is_finite_and_within_0_and_10():
    schedule = build(100)
    multipliers = [float(schedule(step)) for step in range(100)]
    assert all(0 <= value <= 10 for value in multipliers) and any(multipliers)
""",
    "initializer": """

def test_it_fills_a_weight_in_place():
    torch.manual_seed(0)
    weight = torch.full((32, 16), float("nan"))
    build()(weight)
    assert torch.isfinite(weight).all() and weight.std() > 0
""",
}


def written_test(kind: str, *, module: str, title: str, digest: str) -> str:
    """Raises KeyError for a kind without a test."""
    article = "an" if title[:1] in "aeiou" else "a"
    unused = "" if "nn." in BODIES[kind] else "from torch import nn\n"
    head = HEAD.format(module=module, title=title, article=article, digest=digest)
    return head.replace(unused, "") + BODIES[kind] if unused else head + BODIES[kind]
