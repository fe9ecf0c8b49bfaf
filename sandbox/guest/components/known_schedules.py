"""Published learning-rate schedules, as data: name, paper, year, and the multiplier as an expression.

The expression reads `step`, `total_steps` and `x`, the share of the steps that are done, in [0, 1). Nearly all are
scaled to a peak of 1, since the base rate is chosen for each. Lengths of phases are the papers' as shares of their
training; what a paper leaves open is ours and stands in the name. The baselines come first. Decay by a cosine after a
warm-up and decay by a line are the accepted best: the defaults of most recipes, the second the better founded one.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace

from .kind import Known

_TEMPLATE = """\
import math


def build(total_steps):
    def multiplier(step):
        x = step / total_steps
{body}

    return multiplier
"""


def _known(name: str, source: str, year: int, body: str) -> Known:
    lines = body if "return " in body else f"return {body}"
    return Known(name=name, source=source, year=year, code=_TEMPLATE.format(body=textwrap.indent(lines, " " * 8)))


def _baseline(name: str, source: str, year: int, body: str, best: bool = False) -> Known:
    return replace(_known(name, source, year, body), baseline=True, best=best)


_COSINE = "0.5 * (1 + math.cos(math.pi * {x}))"
_SGDR = "Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts"
_CYCLICAL = "Smith, Cyclical Learning Rates for Training Neural Networks"
_BEYOND = "Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations"
_ATTENTION = "Vaswani et al., Attention Is All You Need"

_WARM = """\
warm = max(1, round({share} * total_steps))
if step < warm:
    return (step + 1) / warm
t = (step - warm) / max(1, total_steps - warm)
return {after}"""

_ONE_CYCLE = """\
up = 0.3 * total_steps
low, final = 1 / 25, 1e-4 / 25
if step < up:
    return low + (1 - low) * 0.5 * (1 - math.cos(math.pi * step / up))
return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * (step - up) / (total_steps - up)))"""

_RESTARTS = """\
start, length = 0.0, 1 / 7
while x >= start + length:
    start, length = start + length, 2 * length
return 0.5 * (1 + math.cos(math.pi * (x - start) / length))"""

_SILVER = """\
n = step + 1
valuation = (n & -n).bit_length() - 1
return min(10.0, (1 + (1 + math.sqrt(2)) ** (valuation - 1)) / 4)"""

_CHEBYSHEV = """\
roots = [13 - 11 * math.cos(math.pi * (2 * i + 1) / 16) for i in range(8)]
return min(roots) / roots[(0, 7, 3, 4, 1, 6, 2, 5)[step % 8]]"""

KNOWN_SCHEDULES: tuple[Known, ...] = (
    _baseline("Constant", "Widrow and Hoff, Adaptive Switching Circuits", 1960, "1.0"),
    _baseline(
        "Linear decay",
        "Defazio et al., When, Why and How Much? Adaptive Learning Rate Scheduling by Refinement",
        2023,
        "1 - x",
        best=True,
    ),
    _baseline("Cosine", _SGDR, 2016, _COSINE.format(x="x")),
    _baseline(
        "Warm-up, then cosine",
        "He et al., Bag of Tricks for Image Classification with Convolutional Neural Networks",
        2018,
        _WARM.format(share="5 / 120", after=_COSINE.format(x="t")),
        best=True,
    ),
    _baseline(
        "Step", "He et al., Deep Residual Learning for Image Recognition", 2015, "0.1 ** ((x >= 0.5) + (x >= 0.75))"
    ),
    _baseline(
        "Exponential (to 1 %)",
        "Senior et al., An Empirical Study of Learning Rates in Deep Neural Networks for Speech Recognition",
        2013,
        "0.01 ** x",
    ),
    _baseline(
        "One-cycle",
        "Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
        2017,
        _ONE_CYCLE,
    ),
    _baseline(
        "Warm-up, stable, decay",
        "Hu et al., MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training Strategies",
        2024,
        _WARM.format(share="0.01", after="1.0 if x < 0.9 else 0.1 ** ((x - 0.9) / 0.1)"),
    ),
    _baseline(
        "Inverse square root",
        _ATTENTION,
        2017,
        "warm = 0.04 * total_steps\nreturn min((step + 1) / warm, math.sqrt(warm / (step + 1))) if warm > 1 else "
        "1 / math.sqrt(step + 1)",
    ),
    _baseline(
        "Triangular (3 cycles)",
        _CYCLICAL,
        2015,
        "phase = 3 * x % 1.0\nreturn 0.25 + 0.75 * (1 - abs(2 * phase - 1))",
    ),
    _baseline(
        "Polynomial (power 0.9)",
        "Chen et al., DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and Fully "
        "Connected CRFs",
        2016,
        "(1 - x) ** 0.9",
    ),
    # decays
    _known("1/t decay", "Robbins and Monro, A Stochastic Approximation Method", 1951, "1 / (step + 1)"),
    _known(
        "Square-root decay",
        "Zinkevich, Online Convex Programming and Generalized Infinitesimal Gradient Ascent",
        2003,
        "1 / math.sqrt(step + 1)",
    ),
    _known(
        "Search, then converge (after a tenth)",
        "Darken and Moody, Note on Learning Rate Schedules for Stochastic Optimization",
        1990,
        "1 / (1 + 10 * x)",
    ),
    _known("Quadratic decay", "You et al., Large Batch Training of Convolutional Networks", 2017, "(1 - x) ** 2"),
    _known(
        "REX",
        "Chen et al., REX: Revisiting Budgeted Training with an Improved Schedule",
        2021,
        "(1 - x) / (0.5 + 0.5 * (1 - x))",
    ),
    _known(
        "Hyperbolic-tangent decay",
        "Hsueh et al., Stochastic Gradient Descent with Hyperbolic-Tangent Decay on Classification",
        2018,
        "0.5 * (1 - math.tanh(-6 + 9 * x))",
    ),
    _known(
        "Exponential per epoch (EfficientNet)",
        "Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        2019,
        "0.97 ** int(350 * x / 2.4)",
    ),
    _known(
        "Step of three",
        "Zagoruyko and Komodakis, Wide Residual Networks",
        2016,
        "0.2 ** sum(x >= m for m in (0.3, 0.6, 0.8))",
    ),
    # warm-up
    _known(
        "Warm-up, then linear",
        "Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
        2018,
        _WARM.format(share="0.01", after="1 - t"),
    ),
    _known(
        "Gradual warm-up, then steps",
        "Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour",
        2017,
        _WARM.format(share="5 / 90", after="0.1 ** sum(x >= m / 90 for m in (30, 60, 80))"),
    ),
    _known(
        "Cosine to a tenth",
        "Hoffmann et al., Training Compute-Optimal Large Language Models",
        2022,
        f"0.1 + 0.9 * {_COSINE.format(x='x')}",
    ),
    # a plateau, then a decay
    _known("Plateau and 1 - sqrt cooldown", _BEYOND, 2024, "1.0 if x < 0.8 else 1 - math.sqrt((x - 0.8) / 0.2)"),
    _known("Plateau and linear cooldown", _BEYOND, 2024, "min(1.0, (1 - x) / 0.2)"),
    _known(
        "Knee",
        "Iyer et al., Wide-minima Density Hypothesis and the Explore-Exploit Learning Rate Schedule",
        2020,
        "min(1.0, 2 * (1 - x))",
    ),
    _known("Trapezoid", "Xing et al., A Walk with SGD", 2018, "min(1.0, (x + 1 / total_steps) / 0.1, (1 - x) / 0.2)"),
    # cycles
    _known("Cosine with restarts", _SGDR, 2016, _RESTARTS),
    _known(
        "Snapshots (5 cycles)",
        "Huang et al., Snapshot Ensembles: Train 1, Get M for Free",
        2017,
        _COSINE.format(x="(5 * x % 1.0)"),
    ),
    _known(
        "Triangular, halved each cycle",
        _CYCLICAL,
        2015,
        "cycle, phase = divmod(3 * x, 1.0)\nreturn 0.25 + 0.75 * (1 - abs(2 * phase - 1)) / 2 ** cycle",
    ),
    _known(
        "Silver steps (at most 10)",
        "Altschuler and Parrilo, Acceleration by Stepsize Hedging I: Multi-Step Descent and the Silver Stepsize "
        "Schedule",
        2023,
        _SILVER,
    ),
    _known(
        "Chebyshev steps (condition 12)",
        "Young, On Richardson's Method for Solving Linear Systems with Positive Definite Matrices",
        1953,
        _CHEBYSHEV,
    ),
)
