"""Published normalizers, as data: name, paper, year, body of `forward(x [n, num_features])`.

The ten baselines come first. BatchNorm and LayerNorm are the accepted best: the defaults of convolutional nets and of
transformers. Where a method takes statistics over the positions of an image, a row of [n, num_features] is one
position. Running statistics move by 0.1 a step, PyTorch's default, since runs are short.
"""

from __future__ import annotations

from dataclasses import replace
from textwrap import indent

from .kind import Known

_TEMPLATE = """\
import math
import torch
from torch import nn
from torch.nn import functional as F


class Normalizer(nn.Module):
    def __init__(self, num_features):
        super().__init__()
{init}
    def forward(self, x):
{body}


def build(num_features):
    return Normalizer(num_features)
"""
_SCALE = "self.weight = nn.Parameter(torch.ones(num_features))"
_SCALE_AND_SHIFT = f"{_SCALE}\nself.bias = nn.Parameter(torch.zeros(num_features))"
_RUNNING_MEAN = "self.register_buffer('mean', torch.zeros(num_features))"
_RUNNING_SPREAD = "self.register_buffer('spread', torch.ones(num_features))"


def _known(name: str, source: str, year: int, body: str, *init: str) -> Known:
    lines = body if "return " in body else f"return {body}"
    initial = "\n".join(init) or "pass"
    code = _TEMPLATE.format(init=indent(initial, " " * 8) + "\n", body=indent(lines, " " * 8))
    return Known(name=name, source=source, year=year, code=code)


def _baseline(name: str, source: str, year: int, body: str, *init: str, best: bool = False) -> Known:
    return replace(_known(name, source, year, body, *init), baseline=True, best=best)


def _running(name: str, statistic: str) -> str:
    """The batch's `statistic` in training, which moves the buffer `name` along; the buffer in eval mode."""
    return f"""\
if self.training:
    {name} = {statistic}
    with torch.no_grad():
        self.{name}.mul_(0.9).add_(0.1 * {name})
else:
    {name} = self.{name}
"""


_IOFFE = (
    "Ioffe and Szegedy, Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift"
)
_RMS = "Zhang and Sennrich, Root Mean Square Layer Normalization"
_LAYER = "Ba et al., Layer Normalization"
_SIMPLE = "Xu et al., Understanding and Improving Layer Normalization"
_EVO = "Liu et al., Evolving Normalization-Activation Layers"

_GROUPS = "self.norm = nn.GroupNorm(max(1, num_features // 8), num_features)"

_RENORM = """\
if not self.training:
    return (x - self.mean) * torch.rsqrt(self.variance + 1e-5) * self.weight + self.bias
mean, variance = x.mean(0), x.var(0, correction=0)
deviation = (variance + 1e-5).sqrt()
with torch.no_grad():
    running = (self.variance + 1e-5).sqrt()
    r = (deviation / running).clamp(1 / 3, 3)
    d = ((mean - self.mean) / running).clamp(-5, 5)
    self.mean.mul_(0.9).add_(0.1 * mean)
    self.variance.mul_(0.9).add_(0.1 * x.var(0))
return ((x - mean) / deviation * r + d) * self.weight + self.bias"""

_GHOST = """\
if not self.training:
    return self.norm(x)
return torch.cat([self.norm(ghost) for ghost in x.split(16)])"""

_L1 = f"""\
{_running("mean", "x.mean(0)")}\
{_running("spread", "math.sqrt(math.pi / 2) * (x - mean).abs().mean(0)")}\
return (x - mean) / (spread + 1e-5) * self.weight + self.bias"""

_RANGE = f"""\
{_running("mean", "x.mean(0)")}\
{_running("spread", "(x.amax(0) - x.amin(0)) / (2 * math.sqrt(2 * math.log(len(x))))")}\
return (x - mean) / (spread + 1e-5) * self.weight + self.bias"""

_SWITCHABLE = f"""\
{_running("mean", "x.mean(0)")}\
{_running("spread", "x.var(0, correction=0)")}\
a, b = torch.softmax(self.of_mean, 0), torch.softmax(self.of_variance, 0)
centre = a[0] * x.mean(1, keepdim=True) + a[1] * mean
spread = b[0] * x.var(1, correction=0, keepdim=True) + b[1] * spread
return (x - centre) * torch.rsqrt(spread + 1e-5) * self.weight + self.bias"""

_ITERATIVE = """\
if self.training:
    mean = x.mean(0)
    z = x - mean
    covariance = z.T @ z / len(z) + 1e-5 * torch.eye(len(mean), dtype=x.dtype, device=x.device)
    trace = covariance.diagonal().sum()
    root = torch.eye(len(mean), dtype=x.dtype, device=x.device)
    for _ in range(5):
        root = 1.5 * root - 0.5 * root @ root @ root @ (covariance / trace)
    whitening = root * torch.rsqrt(trace)
    with torch.no_grad():
        self.mean.mul_(0.9).add_(0.1 * mean)
        self.whitening.mul_(0.9).add_(0.1 * whitening)
else:
    z, whitening = x - self.mean, self.whitening
return z @ whitening * self.weight + self.bias"""

_EVO_B0 = f"""\
{_running("spread", "x.var(0, correction=0)")}\
instance = self.v * x + 1e-5 ** 0.5
return x / torch.maximum((spread + 1e-5).sqrt(), instance) * self.weight + self.bias"""

_EVO_S0 = """\
groups = x.unflatten(1, (-1, min(8, x.shape[1])))
deviation = (groups.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
gated = (x * torch.sigmoid(self.v * x)).unflatten(1, groups.shape[1:])
return (gated / deviation).flatten(1) * self.weight + self.bias"""

_ADAPTIVE = """\
z = F.layer_norm(x, x.shape[-1:])
return (1 - 0.1 * z).detach() * z"""

_LOCAL = "F.local_response_norm(x[:, :, None], 5, alpha=1e-4, beta=0.75, k=2.0)[:, :, 0]"

_HEELED = """\
centred = x - x.mean(1, keepdim=True)
return centred / (self.sigma.square() + centred.square().mean(1, keepdim=True)).sqrt() * self.weight + self.bias"""

KNOWN_NORMALIZERS: tuple[Known, ...] = (
    _baseline(
        "Identity", "Rumelhart, Hinton and Williams, Learning Representations by Back-Propagating Errors", 1986, "x"
    ),
    _baseline("BatchNorm", _IOFFE, 2015, "self.norm(x)", "self.norm = nn.BatchNorm1d(num_features)", best=True),
    _baseline("LayerNorm", _LAYER, 2016, "self.norm(x)", "self.norm = nn.LayerNorm(num_features)", best=True),
    _baseline(
        "RMSNorm",
        _RMS,
        2019,
        "x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6) * self.weight",
        _SCALE,
    ),
    _baseline("GroupNorm (groups of 8)", "Wu and He, Group Normalization", 2018, "self.norm(x)", _GROUPS),
    _baseline(
        "Batch Renormalization",
        "Ioffe, Batch Renormalization: Towards Reducing Minibatch Dependence in Batch-Normalized Models",
        2017,
        _RENORM,
        _SCALE_AND_SHIFT,
        _RUNNING_MEAN,
        "self.register_buffer('variance', torch.ones(num_features))",
    ),
    _baseline(
        "PowerNorm-V",
        "Shen et al., PowerNorm: Rethinking Batch Normalization in Transformers",
        2020,
        f"{_running('spread', 'x.square().mean(0)')}return x * torch.rsqrt(spread + 1e-5) * self.weight + self.bias",
        _SCALE_AND_SHIFT,
        _RUNNING_SPREAD,
    ),
    _baseline(
        "ScaleNorm",
        "Nguyen and Salazar, Transformers without Tears: Improving the Normalization of Self-Attention",
        2019,
        "self.scale * F.normalize(x, dim=-1, eps=1e-5)",
        "self.scale = nn.Parameter(torch.tensor(math.sqrt(num_features)))",
    ),
    _baseline(
        "Mean-only BatchNorm",
        "Salimans and Kingma, Weight Normalization: A Simple Reparameterization to Accelerate Training of Deep Neural "
        "Networks",
        2016,
        f"{_running('mean', 'x.mean(0)')}return x - mean + self.bias",
        "self.bias = nn.Parameter(torch.zeros(num_features))",
        _RUNNING_MEAN,
    ),
    _baseline(
        "Dynamic Tanh",
        "Zhu et al., Transformers without Normalization",
        2025,
        "torch.tanh(self.alpha * x) * self.weight + self.bias",
        _SCALE_AND_SHIFT,
        "self.alpha = nn.Parameter(torch.tensor(0.5))",
    ),
    # over the batch
    _known(
        "BatchNorm without parameters",
        _IOFFE,
        2015,
        "self.norm(x)",
        "self.norm = nn.BatchNorm1d(num_features, affine=False)",
    ),
    _known(
        "Diminishing BatchNorm",
        "Ma and Klabjan, Diminishing Batch Normalization",
        2017,
        "self.norm(x)",
        "self.norm = nn.BatchNorm1d(num_features, momentum=None)",
    ),
    _known(
        "Ghost BatchNorm (16)",
        "Hoffer et al., Train Longer, Generalize Better: Closing the Generalization Gap in Large Batch Training of "
        "Neural Networks",
        2017,
        _GHOST,
        "self.norm = nn.BatchNorm1d(num_features)",
    ),
    _known(
        "L1 BatchNorm",
        "Hoffer et al., Norm Matters: Efficient and Accurate Normalization Schemes in Deep Networks",
        2018,
        _L1,
        _SCALE_AND_SHIFT,
        _RUNNING_MEAN,
        _RUNNING_SPREAD,
    ),
    _known(
        "Range BatchNorm",
        "Banner et al., Scalable Methods for 8-bit Training of Neural Networks",
        2018,
        _RANGE,
        _SCALE_AND_SHIFT,
        _RUNNING_MEAN,
        _RUNNING_SPREAD,
    ),
    _known(
        "Iterative Normalization",
        "Huang et al., Iterative Normalization: Beyond Standardization towards Efficient Whitening",
        2019,
        _ITERATIVE,
        _SCALE_AND_SHIFT,
        _RUNNING_MEAN,
        "self.register_buffer('whitening', torch.eye(num_features))",
    ),
    _known(
        "EvoNorm-B0",
        _EVO,
        2020,
        _EVO_B0,
        _SCALE_AND_SHIFT,
        _RUNNING_SPREAD,
        "self.v = nn.Parameter(torch.ones(num_features))",
    ),
    # over the features of a row
    _known("LayerNorm without parameters", _SIMPLE, 2019, "F.layer_norm(x, x.shape[-1:])"),
    _known("AdaNorm", _SIMPLE, 2019, _ADAPTIVE),
    _known(
        "PixelNorm",
        "Karras et al., Progressive Growing of GANs for Improved Quality, Stability, and Variation",
        2018,
        "x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-8)",
    ),
    _known(
        "pRMSNorm (6.25 %)",
        _RMS,
        2019,
        "x * torch.rsqrt(x[:, : max(1, x.shape[1] // 16)].square().mean(1, keepdim=True) + 1e-6) * self.weight",
        _SCALE,
    ),
    _known(
        "Local Response Normalization",
        "Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks",
        2012,
        _LOCAL,
    ),
    _known(
        "Divisive normalization",
        "Ren et al., Normalizing the Normalizers: Comparing and Extending Network Normalization Schemes",
        2017,
        _HEELED,
        _SCALE_AND_SHIFT,
        "self.sigma = nn.Parameter(torch.tensor(1.0))",
    ),
    _known(
        "EvoNorm-S0 (groups of 8)",
        _EVO,
        2020,
        _EVO_S0,
        _SCALE_AND_SHIFT,
        "self.v = nn.Parameter(torch.ones(num_features))",
    ),
    # over both, or over neither
    _known(
        "Switchable Normalization",
        "Luo et al., Differentiable Learning-to-Normalize via Switchable Normalization",
        2019,
        _SWITCHABLE,
        _SCALE_AND_SHIFT,
        _RUNNING_MEAN,
        _RUNNING_SPREAD,
        "self.of_mean = nn.Parameter(torch.zeros(2))",
        "self.of_variance = nn.Parameter(torch.zeros(2))",
    ),
    _known(
        "Filter Response Normalization (1 x 1)",
        "Singh and Krishnan, Filter Response Normalization Layer: Eliminating Batch Dependence in the Training of Deep "
        "Neural Networks",
        2020,
        "torch.maximum(x * torch.rsqrt(x.square() + self.eps.abs()) * self.weight + self.bias, self.threshold)",
        _SCALE_AND_SHIFT,
        "self.eps = nn.Parameter(torch.full((num_features,), 1e-4))",
        "self.threshold = nn.Parameter(torch.zeros(num_features))",
    ),
    _known(
        "Dynamic erf (Derf)",
        "Chen et al., Stronger Normalization-Free Transformers",
        2025,
        "torch.erf(self.alpha * x + self.shift) * self.weight + self.bias",
        _SCALE_AND_SHIFT,
        "self.alpha = nn.Parameter(torch.tensor(0.5))",
        "self.shift = nn.Parameter(torch.tensor(0.0))",
    ),
)
