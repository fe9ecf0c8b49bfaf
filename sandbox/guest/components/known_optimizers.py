"""Published optimizers, as data: name, paper, year, lines that change one parameter.

The lines read `p`, its gradient `g`, `lr`, the number of the step `t` (from 1) and buffers that start at zero, made by
`zeros(name)`. Constants are those of the papers, or PyTorch's where a paper leaves them open; the learning rate is
chosen for each. The baselines come first. Adam and AdamW are the accepted best: the defaults of nearly every recipe.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace

from .kind import Known

_LIBRARY = """\
import torch


def build(params, lr):
    return torch.optim.{call}
"""

_OWN = """\
import math
import torch
from torch.optim import Optimizer


class Own(Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            lr = group["lr"]
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    state["t"] = state.get("t", 0) + 1
                    self.change(p, p.grad, lr, state["t"], state)

    def change(self, p, g, lr, t, state):
        def zeros(name):
            if name not in state:
                state[name] = torch.zeros_like(p)
            return state[name]

{body}


def build(params, lr):
    return Own(params, lr)
"""


def _known(name: str, source: str, year: int, body: str) -> Known:
    """`body`: a call of `torch.optim`, or lines."""
    if "\n" not in body and body.startswith(tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")):
        return Known(name=name, source=source, year=year, code=_LIBRARY.format(call=body))
    return Known(name=name, source=source, year=year, code=_OWN.format(body=textwrap.indent(body, " " * 8)))


def _baseline(name: str, source: str, year: int, body: str, best: bool = False) -> Known:
    return replace(_known(name, source, year, body), baseline=True, best=best)


_ADAM = "Kingma and Ba, Adam: A Method for Stochastic Optimization"
_HYPERBOLIC = "Ma and Yarats, Quasi-Hyperbolic Momentum and Adam for Deep Learning"
_SIGN = "Bernstein et al., signSGD: Compressed Optimisation for Non-Convex Problems"

_MOMENTS = """\
m, v = zeros("m"), zeros("v")
m.lerp_(g, 1 - 0.9)
v.mul_(0.999).addcmul_(g, g, value=1 - 0.999)
mean, root = m / (1 - 0.9**t), (v / (1 - 0.999**t)).sqrt() + 1e-8
"""

_LION = """\
m = zeros("m")
p.sub_((0.9 * m + 0.1 * g).sign(), alpha=lr)
m.lerp_(g, 1 - 0.99)"""

_ADAN = """\
m, v, n, last = zeros("m"), zeros("v"), zeros("n"), zeros("last")
change = g - last if t > 1 else torch.zeros_like(g)
m.lerp_(g, 0.02)
v.lerp_(change, 0.08)
n.mul_(0.99).add_(0.01 * (g + 0.92 * change) ** 2)
last.copy_(g)
root = (n / (1 - 0.99**t)).sqrt() + 1e-8
p.sub_((m / (1 - 0.98**t) + 0.92 * v / (1 - 0.92**t)) / root, alpha=lr)"""

_YOGI = """\
m, v = zeros("m"), zeros("v")
if t == 1:
    v.copy_(g * g)
m.lerp_(g, 1 - 0.9)
v.sub_((1 - 0.999) * (v - g * g).sign() * g * g)
p.sub_(m / (1 - 0.9**t) / (v.sqrt() + 1e-3), alpha=lr)"""

_BELIEF = """\
m, s = zeros("m"), zeros("s")
m.lerp_(g, 1 - 0.9)
s.mul_(0.999).add_((1 - 0.999) * (g - m) ** 2 + 1e-16)
p.sub_(m / (1 - 0.9**t) / ((s / (1 - 0.999**t)).sqrt() + 1e-8), alpha=lr)"""

_ADOPT = """\
m, v = zeros("m"), zeros("v")
if t == 1:
    v.copy_(g * g)
else:
    m.lerp_(g / v.sqrt().clamp(min=1e-6), 1 - 0.9)
    p.sub_(m, alpha=lr)
    v.mul_(0.9999).addcmul_(g, g, value=1 - 0.9999)"""

_MIX = """\
m, slow, v = zeros("m"), zeros("slow"), zeros("v")
m.lerp_(g, 1 - 0.9)
slow.lerp_(g, 1 - 0.9999)
v.mul_(0.999).addcmul_(g, g, value=1 - 0.999)
p.sub_((m / (1 - 0.9**t) + 5 * slow) / ((v / (1 - 0.999**t)).sqrt() + 1e-8), alpha=lr)"""

_CAUTIOUS = (
    _MOMENTS
    + """\
agrees = (m * g > 0).to(g.dtype)
p.mul_(1 - lr * 0.01).sub_(mean / root * agrees / agrees.mean().clamp(min=1e-3), alpha=lr)"""
)

_LAMB = (
    _MOMENTS
    + """\
update = mean / root + 0.01 * p
size, length = p.norm(), update.norm()
trust = size / length if size > 0 and length > 0 else 1.0
p.sub_(update * trust, alpha=lr)"""
)

_LARS = """\
m = zeros("m")
size, length = p.norm(), g.norm()
trust = 0.001 * size / (length + 1e-4 * size) if size > 0 and length > 0 else 1.0
m.mul_(0.9).add_((g + 1e-4 * p) * trust, alpha=lr)
p.sub_(m)"""

_CENTRED = """\
m = zeros("m")
if g.ndim > 1:
    g = g - g.mean(1, keepdim=True)
m.mul_(0.9).add_(g)
p.sub_(m, alpha=lr)"""

_MUON = """\
m = zeros("m")
m.mul_(0.95).add_(g)
update = g + 0.95 * m
if p.ndim == 2:
    x = update / (update.norm() + 1e-7)
    x = x.T if len(x) > x.shape[1] else x
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    update = (x.T if p.shape[0] > p.shape[1] else x) * max(1, p.shape[0] / p.shape[1]) ** 0.5
p.sub_(update, alpha=lr)"""

_SHAMPOO = """\
if g.ndim < 2:
    v = zeros("v")
    v.add_(g * g)
    p.sub_(g / (v.sqrt() + 1e-6), alpha=lr)
    return
for side, size in (("left", len(g)), ("right", g.shape[1])):
    if side not in state:
        state[side] = 1e-4 * torch.eye(size)
state["left"] += g @ g.T
state["right"] += g.T @ g
for side in ("left", "right"):
    values, vectors = torch.linalg.eigh(state[side])
    root = (vectors * values.clamp(min=1e-6) ** -0.25) @ vectors.T
    g = root @ g if side == "left" else g @ root
p.sub_(g, alpha=lr)"""

_NOVOGRAD = """\
m, square = zeros("m"), g.square().sum()
state["v"] = square if t == 1 else 0.98 * state["v"] + (1 - 0.98) * square
m.mul_(0.95).add_(g / (state["v"].sqrt() + 1e-8))
p.sub_(m, alpha=lr)"""

_LOOKAHEAD = (
    """\
if t == 1:
    state["slow"] = p.clone()
"""
    + _MOMENTS
    + """\
p.sub_(mean / root, alpha=lr)
if t % 5 == 0:
    state["slow"].lerp_(p, 0.5)
    p.copy_(state["slow"])"""
)

KNOWN_OPTIMIZERS: tuple[Known, ...] = (
    _baseline("SGD", "Robbins and Monro, A Stochastic Approximation Method", 1951, "SGD(params, lr=lr)"),
    _baseline(
        "Momentum",
        "Polyak, Some Methods of Speeding up the Convergence of Iteration Methods",
        1964,
        "SGD(params, lr=lr, momentum=0.9)",
    ),
    _baseline(
        "Nesterov momentum",
        "Sutskever et al., On the Importance of Initialization and Momentum in Deep Learning",
        2013,
        "SGD(params, lr=lr, momentum=0.9, nesterov=True)",
    ),
    _baseline(
        "Adagrad",
        "Duchi et al., Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
        2011,
        "Adagrad(params, lr=lr)",
    ),
    _baseline(
        "RMSprop",
        "Tieleman and Hinton, Lecture 6.5: Divide the Gradient by a Running Average of Its Recent Magnitude",
        2012,
        "RMSprop(params, lr=lr)",
    ),
    _baseline("Adam", _ADAM, 2014, "Adam(params, lr=lr)", best=True),
    _baseline(
        "AdamW", "Loshchilov and Hutter, Decoupled Weight Decay Regularization", 2017, "AdamW(params, lr=lr)", best=True
    ),
    _baseline("NAdam", "Dozat, Incorporating Nesterov Momentum into Adam", 2016, "NAdam(params, lr=lr)"),
    _baseline(
        "RAdam", "Liu et al., On the Variance of the Adaptive Learning Rate and Beyond", 2019, "RAdam(params, lr=lr)"
    ),
    _baseline("Lion", "Chen et al., Symbolic Discovery of Optimization Algorithms", 2023, _LION),
    # of Adam's family
    _known("Adamax", _ADAM, 2014, "Adamax(params, lr=lr)"),
    _known("AMSGrad", "Reddi et al., On the Convergence of Adam and Beyond", 2018, "Adam(params, lr=lr, amsgrad=True)"),
    _known("Adadelta", "Zeiler, ADADELTA: An Adaptive Learning Rate Method", 2012, "Adadelta(params, lr=lr)"),
    _known(
        "Adan", "Xie et al., Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models", 2022, _ADAN
    ),
    _known("Yogi", "Zaheer et al., Adaptive Methods for Nonconvex Optimization", 2018, _YOGI),
    _known(
        "AdaBelief",
        "Zhuang et al., AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients",
        2020,
        _BELIEF,
    ),
    _known(
        "QHAdam",
        _HYPERBOLIC,
        2018,
        'm, v = zeros("m"), zeros("v")\nm.lerp_(g, 1 - 0.995)\nv.mul_(0.999).addcmul_(g, g, value=1 - 0.999)\n'
        "mean, root = m / (1 - 0.995**t), (v / (1 - 0.999**t)).sqrt() + 1e-8\n"
        "p.sub_((0.3 * g + 0.7 * mean) / root, alpha=lr)",
    ),
    _known("AdEMAMix", "Pagliardini et al., The AdEMAMix Optimizer: Better, Faster, Older", 2024, _MIX),
    _known(
        "ADOPT",
        "Taniguchi et al., ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate",
        2024,
        _ADOPT,
    ),
    _known(
        "Cautious AdamW",
        "Liang et al., Cautious Optimizers: Improving Training with One Line of Code",
        2024,
        _CAUTIOUS,
    ),
    _known("Lookahead (Adam)", "Zhang et al., Lookahead Optimizer: k Steps Forward, 1 Step Back", 2019, _LOOKAHEAD),
    # of momentum and signs
    _known("QHM", _HYPERBOLIC, 2018, 'm = zeros("m")\nm.lerp_(g, 1 - 0.999)\np.sub_(0.3 * g + 0.7 * m, alpha=lr)'),
    _known("signSGD", _SIGN, 2018, "p.sub_(g.sign(), alpha=lr)"),
    _known("Signum", _SIGN, 2018, 'm = zeros("m")\nm.lerp_(g, 1 - 0.9)\np.sub_(m.sign(), alpha=lr)'),
    _known(
        "Rprop",
        "Riedmiller and Braun, A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm",
        1993,
        "Rprop(params, lr=lr)",
    ),
    # of norms and matrices
    _known(
        "Normalized gradient",
        "Hazan et al., Beyond Convexity: Stochastic Quasi-Convex Optimization",
        2015,
        "p.sub_(g / (g.norm() + 1e-8), alpha=lr)",
    ),
    _known("LARS", "You et al., Large Batch Training of Convolutional Networks", 2017, _LARS),
    _known("LAMB", "You et al., Large Batch Optimization for Deep Learning: Training BERT in 76 Minutes", 2019, _LAMB),
    _known(
        "NovoGrad",
        "Ginsburg et al., Stochastic Gradient Methods with Layer-wise Adaptive Moments for Training of Deep Networks",
        2019,
        _NOVOGRAD,
    ),
    _known(
        "Gradient centralization",
        "Yong et al., Gradient Centralization: A New Optimization Technique for Deep Neural Networks",
        2020,
        _CENTRED,
    ),
    _known("Shampoo", "Gupta et al., Shampoo: Preconditioned Stochastic Tensor Optimization", 2018, _SHAMPOO),
    _known(
        "Muon (momentum for biases)",
        "Jordan et al., Muon: An Optimizer for Hidden Layers in Neural Networks",
        2024,
        _MUON,
    ),
)
