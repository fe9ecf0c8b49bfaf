"""Bodies of `fit(x [n, d])` and `forward(x [m, d])` that published preprocessors are made of, and their module."""

from __future__ import annotations

from textwrap import indent

_TEMPLATE = """\
import math
import torch
from torch import nn
from torch.nn import functional as F


{before}class Preprocessor(nn.Module):
    def fit(self, x):
{fit}

    def forward(self, x):
{forward}


def build():
    return Preprocessor()
"""


def preprocessor_code(fit: str, forward: str, before: str = "") -> str:
    """`forward` is one expression, or lines that return; `before` are functions that both call."""
    lines = forward if "return " in forward else f"return {forward}"
    return _TEMPLATE.format(
        fit=indent(fit or "pass", " " * 8), forward=indent(lines, " " * 8), before=f"{before}\n\n\n" if before else ""
    )


# A column that is constant where the transform is fitted becomes 0, not a division by 0.
STANDARDIZE = """\
self.mean = x.mean(0)
deviation = x.std(0, correction=0)
self.scale = torch.where(deviation > 1e-6, 1 / deviation.clamp(min=1e-6), 0.0)
"""
STANDARD = "(x - self.mean) * self.scale"

MINMAX = """\
self.low = x.amin(0)
width = x.amax(0) - self.low
self.scale = torch.where(width > 1e-6, 2 / width.clamp(min=1e-6), 0.0)"""

MINMAXED = "(x - self.low) * self.scale - (self.scale > 0).to(x.dtype)"

MEDIAN = """\
self.centre = x.median(0).values
spread = 1.4826 * (x - self.centre).abs().median(0).values
self.scale = torch.where(spread > 1e-6, 1 / spread.clamp(min=1e-6), 0.0)"""

ROBUST = """\
low, self.centre, high = torch.quantile(x, torch.tensor([0.25, 0.5, 0.75]), 0)
width = torch.where(high - low > 1e-6, high - low, (x.amax(0) - x.amin(0)) / 2)
self.scale = torch.where(width > 1e-6, 1 / width.clamp(min=1e-6), 0.0)"""

EIGEN = f"""\
{STANDARDIZE}\
z = {STANDARD}
values, vectors = torch.linalg.eigh((z.T @ z / len(z)).double())
values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
vectors = vectors * torch.where(vectors.sum(0) < 0, -1.0, 1.0)
root = torch.where(values > 1e-4, values.clamp(min=1e-4).rsqrt(), 0.0)
"""

CHOLESKY = f"""\
{EIGEN}\
inverse = (vectors / values.clamp(min=1e-4)) @ vectors.T
self.turn = torch.linalg.cholesky(inverse).float()"""

QUANTILE = """\
self.sorted = torch.quantile(x, torch.linspace(0, 1, 257), 0).T.contiguous()"""
RANK = """\
columns = x.T.contiguous().clamp(self.sorted[:, :1], self.sorted[:, -1:])
left = torch.searchsorted(self.sorted, columns)
right = torch.searchsorted(self.sorted, columns, right=True)
high = left.clamp(1, 256)
below, above = self.sorted.gather(1, high - 1), self.sorted.gather(1, high)
between = high - 1 + (columns - below) / (above - below).clamp(min=1e-12)
within = torch.where(right > left, (right + left - 1) / 2, between)
rank = (within / 256).clamp(1e-3, 1 - 1e-3).T
"""

YEO_JOHNSON = """\
def powered(logs, power):
    flat = power.abs() < 1e-3
    return torch.where(flat, logs, torch.expm1(power * logs) / torch.where(flat, 1.0, power))


def yeo_johnson(x, power):
    up, down = torch.log1p(x.clamp(min=0)), torch.log1p((-x).clamp(min=0))
    return torch.where(x >= 0, powered(up, power), -powered(down, 2 - power))"""
FIT_YEO_JOHNSON = f"""\
{STANDARDIZE}\
z = ({STANDARD})[:512]
jacobian = (z.sign() * torch.log1p(z.abs())).mean(0)
powers = torch.linspace(-2, 4, 49)
spreads = torch.stack([yeo_johnson(z, power).var(0, correction=0).clamp(min=1e-12).log() for power in powers])
fits = (powers[:, None] - 1) * jacobian - 0.5 * spreads
self.power = powers[fits.argmax(0)]
self.power = torch.where(self.scale > 0, self.power, 1.0)
y = yeo_johnson({STANDARD}, self.power)
self.centre, self.spread = y.mean(0), y.std(0, correction=0).clamp(min=1e-6)"""

ENCODE = """\
edges = torch.quantile(x, torch.linspace(0, 1, 5), 0)
self.low, width = edges[:-1], edges[1:] - edges[:-1]
self.flat = width < 1e-6
self.width = width.clamp(min=1e-6)"""
ENCODED = """\
part = (x[:, None] - self.low) / self.width
part = torch.where(self.flat, (x[:, None] > self.low).to(x.dtype), part).clamp(0, 1)
return part.flatten(1) * 2 - 1"""

DISTANCES = f"""\
{STANDARDIZE}\
z = {STANDARD}
a, b = z[torch.randint(len(z), (512,))], z[torch.randint(len(z), (512,))]
width = (a - b).norm(dim=1).median().clamp(min=1e-3)
"""

ORTHOGONAL = f"""\
{DISTANCES}\
d = x.shape[1]
blocks = [torch.linalg.qr(torch.randn(d, d))[0] * torch.randn(d, d).norm(dim=0) for _ in range(-(-(d + 32) // d))]
self.frequencies = torch.cat(blocks, 1)[:, : d + 32] / width"""

NYSTROEM = f"""\
{DISTANCES}\
self.width = width
self.landmarks = z[torch.randperm(len(z))[: x.shape[1] + 32]]
kernel = torch.exp(-0.5 * (torch.cdist(self.landmarks, self.landmarks) / width).square()).double()
values, vectors = torch.linalg.eigh(kernel)
self.root = (vectors * torch.where(values > 1e-3, values.clamp(min=1e-3).rsqrt(), 0.0)).float()"""

CLUSTER = f"""\
{EIGEN}\
self.turn = (vectors * root @ vectors.T).float()
z = z @ self.turn
self.centres = z[torch.randperm(len(z))[: 2 * x.shape[1] + 32]]
for _ in range(10):
    nearest = torch.cdist(z, self.centres).argmin(1)
    chosen = F.one_hot(nearest, len(self.centres)).to(x.dtype)
    count = chosen.sum(0)[:, None]
    self.centres = torch.where(count > 0, chosen.T @ z / count.clamp(min=1), self.centres)"""
TRIANGLE = f"""\
distance = torch.cdist(({STANDARD}) @ self.turn, self.centres)
return F.relu(distance.mean(1, keepdim=True) - distance)"""

ICA = f"""\
{EIGEN}\
white = (vectors * root).float()[:, values > 1e-4]
z = z @ white
w = torch.linalg.qr(torch.randn(z.shape[1], z.shape[1]))[0]
for _ in range(30):
    g = torch.tanh(z @ w)
    w = z.T @ g / len(z) - w * (1 - g.square()).mean(0)
    u, _, v = torch.linalg.svd(w)
    w = u @ v
self.unmix = white @ w"""

GAUSSIANIZE = """\
self.layers = []
for turn in range(3):
    sorted_ = torch.quantile(x, torch.linspace(0, 1, 129), 0).T.contiguous()
    x = normal(x, sorted_)
    mean = x.mean(0)
    vectors = torch.linalg.eigh(((x - mean).T @ (x - mean) / len(x)).double())[1].float()
    self.layers.append((sorted_, vectors))
    x = x @ vectors"""
TO_NORMAL = """\
def normal(x, sorted_):
    columns = x.T.contiguous().clamp(sorted_[:, :1], sorted_[:, -1:])
    high = torch.searchsorted(sorted_, columns).clamp(1, 128)
    below, above = sorted_.gather(1, high - 1), sorted_.gather(1, high)
    rank = (high - 1 + (columns - below) / (above - below).clamp(min=1e-12)) / 128
    return torch.special.ndtri(rank.clamp(1e-3, 1 - 1e-3)).T"""

GAUSSIANIZED = """\
for sorted_, vectors in self.layers:
    x = normal(x, sorted_) @ vectors
return x"""

COSINES = f"""\
{STANDARDIZE}\
d = x.shape[1]
k, j = torch.arange(d)[:, None], torch.arange(d)[None]
self.turn = math.sqrt(2 / d) * torch.cos(math.pi * (j + 0.5) * k / d).T
self.turn[:, 0] /= math.sqrt(2)"""

BOX_COX = """\
self.low = x.amin(0)
self.width = (x.amax(0) - self.low).clamp(min=1e-6)
logs = ((x - self.low) / self.width + 1e-2).log()
powers = torch.linspace(-2, 2, 41)
spreads = torch.stack([powered(logs[:512], p).var(0, correction=0).clamp(min=1e-12).log() for p in powers])
fits = (powers[:, None] - 1) * logs[:512].mean(0) - 0.5 * spreads
self.power = powers[fits.argmax(0)]
y = powered(logs, self.power)
deviation = y.std(0, correction=0)
self.mean, self.scale = y.mean(0), torch.where(deviation > 1e-6, 1 / deviation.clamp(min=1e-6), 0.0)"""
BOX_COXED = """\
logs = ((x - self.low) / self.width + 1e-2).clamp(min=1e-3).log()
return (powered(logs, self.power) - self.mean) * self.scale"""
