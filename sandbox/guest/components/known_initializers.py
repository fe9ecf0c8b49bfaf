"""Published initializers, as data: name, paper, year, lines that fill `weight` [rows, columns] in place.

A row is a unit, a column an input. The baselines come first. Kaiming's and orthogonal weights are the
accepted best for plain ReLU nets. Constants are those of the papers, gains those for ReLU where a paper gives one.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace

from .kind import Known

_TEMPLATE = """\
import math
import torch
from torch import nn


def build():
    @torch.no_grad()
    def fill(weight):
        rows, columns = weight.shape
{body}

    return fill
"""


def _known(name: str, source: str, year: int, body: str) -> Known:
    return Known(name=name, source=source, year=year, code=_TEMPLATE.format(body=textwrap.indent(body, " " * 8)))


def _baseline(name: str, source: str, year: int, body: str, best: bool = False) -> Known:
    return replace(_known(name, source, year, body), baseline=True, best=best)


_GLOROT = "Glorot and Bengio, Understanding the Difficulty of Training Deep Feedforward Neural Networks"
_HE = "He et al., Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification"
_SAXE = "Saxe et al., Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural Networks"
_BACKPROP = "LeCun et al., Efficient BackProp"

_SPARSE = """\
weight.zero_()
for row in weight:
    row[torch.randperm(columns)[:15]] = torch.randn(min(15, columns))"""

_ZERO = """\
weight.zero_()
if rows <= columns:
    weight.fill_diagonal_(1.0)
else:
    size = 2 ** math.ceil(math.log2(rows))
    hadamard = torch.ones(1, 1)
    while len(hadamard) < size:
        hadamard = torch.cat([torch.cat([hadamard, hadamard], 1), torch.cat([hadamard, -hadamard], 1)])
    weight.copy_(hadamard[:rows, :columns] * 2 ** (-(math.ceil(math.log2(rows)) - 1) / 2))"""

_MIRRORED = """\
half = torch.empty((rows + 1) // 2, (columns + 1) // 2)
nn.init.orthogonal_(half, gain=math.sqrt(2))
weight.copy_(torch.cat([torch.cat([half, -half], 1), torch.cat([-half, half], 1)])[:rows, :columns])"""

_NGUYEN = """\
weight.uniform_(-1, 1)
weight.mul_(0.7 * rows ** (1 / columns) / weight.norm(dim=1, keepdim=True).clamp(min=1e-8))"""

_ACHLIOPTAS = """\
die = torch.randint(0, 6, weight.shape)
weight.copy_(((die == 0).float() - (die == 1).float()) * math.sqrt(3 / columns))"""

KNOWN_INITIALIZERS: tuple[Known, ...] = (
    _baseline("Kaiming uniform", _HE, 2015, 'nn.init.kaiming_uniform_(weight, nonlinearity="relu")'),
    _baseline("Kaiming normal", _HE, 2015, 'nn.init.kaiming_normal_(weight, nonlinearity="relu")', best=True),
    _baseline("Xavier uniform", _GLOROT, 2010, "nn.init.xavier_uniform_(weight)"),
    _baseline("Xavier normal", _GLOROT, 2010, "nn.init.xavier_normal_(weight)"),
    _baseline("LeCun normal", _BACKPROP, 1998, "weight.normal_(0, 1 / math.sqrt(columns))"),
    _baseline(
        "PyTorch's default",
        "Paszke et al., PyTorch: An Imperative Style, High-Performance Deep Learning Library",
        2019,
        "weight.uniform_(-1 / math.sqrt(columns), 1 / math.sqrt(columns))",
    ),
    _baseline("Orthogonal (gain for ReLU)", _SAXE, 2013, "nn.init.orthogonal_(weight, gain=math.sqrt(2))"),
    _baseline("Orthogonal", _SAXE, 2013, "nn.init.orthogonal_(weight)", best=True),
    _baseline("Sparse (15 per unit)", "Martens, Deep Learning via Hessian-Free Optimization", 2010, _SPARSE),
    _baseline(
        "Truncated normal 0.02",
        "Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
        2018,
        "nn.init.trunc_normal_(weight, std=0.02, a=-0.04, b=0.04)",
    ),
    _baseline(
        "ZerO",
        "Zhao et al., ZerO Initialization: Initializing Neural Networks with only Zeros and Ones",
        2021,
        _ZERO,
    ),
    # independent entries of another scale
    _known("Kaiming normal, by outputs", _HE, 2015, 'nn.init.kaiming_normal_(weight, mode="fan_out")'),
    _known(
        "Normal 0.01",
        "Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks",
        2012,
        "weight.normal_(0, 0.01)",
    ),
    _known(
        "Normal 0.02",
        "Radford et al., Language Models are Unsupervised Multitask Learners",
        2019,
        "weight.normal_(0, 0.02)",
    ),
    _known(
        "Random walk (gain for ReLU)",
        "Sussillo and Abbott, Random Walk Initialization for Training Very Deep Feedforward Networks",
        2014,
        "weight.normal_(0, math.sqrt(2 / columns) * math.exp(1.2 / (max(columns, 6) - 2.4)))",
    ),
    _known(
        "Nguyen and Widrow",
        "Nguyen and Widrow, Improving the Learning Speed of 2-Layer Neural Networks by Choosing Initial Values of the "
        "Adaptive Weights",
        1990,
        _NGUYEN,
    ),
    # independent entries of another distribution
    _known(
        "Signed constant",
        "Ramanujan et al., What's Hidden in a Randomly Weighted Neural Network?",
        2019,
        "weight.copy_((torch.randint(0, 2, weight.shape) * 2 - 1) * math.sqrt(2 / columns))",
    ),
    _known(
        "Sparse signs",
        "Achlioptas, Database-friendly Random Projections",
        2001,
        _ACHLIOPTAS,
    ),
    # structure
    _known(
        "Identity",
        "Le et al., A Simple Way to Initialize Recurrent Networks of Rectified Linear Units",
        2015,
        "nn.init.eye_(weight)",
    ),
    _known(
        "Looks linear",
        "Balduzzi et al., The Shattered Gradients Problem: If Resnets Are the Answer, Then What Is the Question?",
        2017,
        _MIRRORED,
    ),
)
