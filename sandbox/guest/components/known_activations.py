"""Published activation functions, as data: name, paper, year, expression in x.

The ten baselines come first. GELU and SiLU are the accepted best: the default of most transformers and of most recent
convolutional nets and large language models; Mish is seldom anybody's default. Constants are those of the papers. The
N-score is the distance to the nearest function of this list, so it holds one entry for what was published under several
names, and scaled versions only where a paper proposes that very scale.
"""

from __future__ import annotations

from dataclasses import replace

from .kind import Known
from .known_code import module_code


def _known(name: str, source: str, year: int, body: str, **learnable: float) -> Known:
    return Known(name=name, source=source, year=year, code=module_code("Activation", "x", body, learnable))


def _baseline(name: str, source: str, year: int, body: str, best: bool = False) -> Known:
    return replace(_known(name, source, year, body), baseline=True, best=best)


_PAIRS = """\
n = x.shape[-1] // 2
pairs = x[..., : 2 * n].unflatten(-1, (n, 2))
pairs = {pairs}
return torch.cat([pairs.flatten(-2), x[..., 2 * n :]], -1)"""

_GELU = "Hendrycks and Gimpel, Gaussian Error Linear Units"
_SEARCH = "Ramachandran et al., Searching for Activation Functions"
_SILU = (
    "Elfwing et al., Sigmoid-Weighted Linear Units for Neural Network Function Approximation in Reinforcement Learning"
)
_SWISH = f"{_SEARCH}; {_SILU}"
_ELU = "Clevert et al., Fast and Accurate Deep Network Learning by Exponential Linear Units"
_MOBILE = "Howard et al., Searching for MobileNetV3"
_BACKPROP = "LeCun et al., Efficient BackProp"
_ISRLU = "Carlile et al., Improving Deep Learning by Inverse Square Root Linear Units"
_GOLDEN = "Basirat and Roth, The Quest for the Golden Activation Function"
_XU = "Xu et al., Empirical Evaluation of Rectified Activations in Convolutional Network"
_OSCILLATING = (
    "Noel et al., Biologically Inspired Oscillating Activation Functions Can Bridge the Performance Gap between "
    "Biological and Artificial Neurons"
)

KNOWN_ACTIVATIONS: tuple[Known, ...] = (
    _baseline(
        "ReLU",
        "Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines",
        2010,
        "F.relu(x)",
    ),
    _baseline(
        "LeakyReLU",
        "Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models",
        2013,
        "F.leaky_relu(x, 0.01)",
    ),
    _baseline("ELU", _ELU, 2015, "F.elu(x)"),
    _baseline("SELU", "Klambauer et al., Self-Normalizing Neural Networks", 2017, "F.selu(x)"),
    _baseline("GELU", _GELU, 2016, "F.gelu(x)", best=True),
    _baseline("SiLU", _SWISH, 2017, "F.silu(x)", best=True),
    _baseline("Mish", "Misra, Mish: A Self Regularized Non-Monotonic Activation Function", 2019, "F.mish(x)"),
    _baseline("Tanh", _BACKPROP, 1998, "torch.tanh(x)"),
    _baseline(
        "Softplus",
        "Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option Pricing",
        2000,
        "F.softplus(x)",
    ),
    _baseline("Hardswish", _MOBILE, 2019, "F.hardswish(x)"),
    # piecewise linear
    _known("PReLU", "He et al., Delving Deep into Rectifiers", 2015, "torch.where(x > 0, x, self.a * x)", a=0.25),
    _known("LeakyReLU (slope 1/5.5)", _XU, 2015, "F.leaky_relu(x, 1 / 5.5)"),
    _known("RReLU", _XU, 2015, "F.rrelu(x, training=self.training)"),
    _known("ReLU6", "Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10", 2010, "F.relu6(x)"),
    _known(
        "ThresholdedReLU",
        "Konda et al., Zero-bias Autoencoders and the Benefits of Co-adapting Features",
        2014,
        "torch.where(x > 1, x, 0.0)",
    ),
    _known("Shifted ReLU", _ELU, 2015, "torch.clamp(x, min=-1.0)"),
    _known("Hardtanh", "Collobert, Large Scale Machine Learning", 2004, "F.hardtanh(x)"),
    _known("Hardsigmoid", _MOBILE, 2019, "F.hardsigmoid(x)"),
    _known(
        "Softshrink", "Gregor and LeCun, Learning Fast Approximations of Sparse Coding", 2010, "F.softshrink(x, 0.5)"
    ),
    _known(
        "Hardshrink",
        "Donoho and Johnstone, Ideal Spatial Adaptation by Wavelet Shrinkage",
        1994,
        "F.hardshrink(x, 0.5)",
    ),
    _known(
        "Abs",
        "Jarrett et al., What Is the Best Multi-Stage Architecture for Object Recognition?",
        2009,
        "torch.abs(x)",
    ),
    _known(
        "Hat",
        "Hong et al., On the Activation Function Dependence of the Spectral Bias of Neural Networks",
        2022,
        "F.relu(x) - 2 * F.relu(x - 1) + F.relu(x - 2)",
    ),
    _known("Identity", "Widrow and Hoff, Adaptive Switching Circuits", 1960, "x * 1.0"),
    # saturating
    _known(
        "Sigmoid",
        "Rumelhart et al., Learning Representations by Back-Propagating Errors",
        1986,
        "torch.sigmoid(x)",
    ),
    _known("LeCun's tanh", _BACKPROP, 1998, "1.7159 * torch.tanh(2 * x / 3)"),
    _known(
        "Penalized tanh",
        "Xu et al., Revise Saturated Activation Functions",
        2016,
        "torch.where(x > 0, 1.0, 0.25) * torch.tanh(x)",
    ),
    _known("Softsign", "Elliott, A Better Activation Function for Artificial Neural Networks", 1993, "F.softsign(x)"),
    _known(
        "Arctan",
        "Kamruzzaman, Arctangent Activation Function to Accelerate Backpropagation Learning",
        2002,
        "torch.atan(x)",
    ),
    _known("Erf", "Williams, Computing with Infinite Networks", 1996, "torch.erf(x)"),
    _known("ISRU", _ISRLU, 2017, "x * torch.rsqrt(1 + x * x)"),
    _known(
        "SQNL",
        "Wuraola and Patel, SQNL: A New Computationally Efficient Activation Function",
        2018,
        "c = x.clamp(-2.0, 2.0)\nreturn c - c * c.abs() / 4",
    ),
    _known(
        "Complementary log-log",
        "Gomes and Ludermir, Complementary Log-Log and Probit: Activation Functions Implemented in Artificial Neural "
        "Networks",
        2008,
        "1 - torch.exp(-torch.exp(x))",
    ),
    _known(
        "Softmax",
        "Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs",
        1990,
        "F.softmax(x, -1)",
    ),
    # rectifiers with a smooth or exponential branch
    _known(
        "CELU (alpha 2)", "Barron, Continuously Differentiable Exponential Linear Units", 2017, "F.celu(x, alpha=2.0)"
    ),
    _known(
        "PELU",
        "Trottier et al., Parametric Exponential Linear Unit for Deep Convolutional Neural Networks",
        2016,
        "negative = self.a * torch.expm1(x.clamp(max=0.0) / self.b)\nreturn F.relu(x) * self.a / self.b + negative",
        a=1.0,
        b=1.0,
    ),
    _known("ISRLU", _ISRLU, 2017, "n = x.clamp(max=0.0)\nreturn F.relu(x) + n * torch.rsqrt(1 + n * n)"),
    _known(
        "REU",
        "Ying et al., Rectified Exponential Units for Convolutional Neural Networks",
        2019,
        "x * torch.exp(x.clamp(max=0.0))",
    ),
    _known(
        "SignReLU",
        "Lin and Shen, Research on Convolutional Neural Network Based on Improved ReLU Piecewise Activation Function",
        2018,
        "torch.where(x >= 0, x, F.softsign(x))",
    ),
    _known("ELiSH", _GOLDEN, 2018, "torch.where(x >= 0, x, torch.expm1(x.clamp(max=0.0))) * torch.sigmoid(x)"),
    _known(
        "HardELiSH",
        _GOLDEN,
        2018,
        "torch.where(x >= 0, x, torch.expm1(x.clamp(max=0.0))) * ((x + 1) / 2).clamp(0.0, 1.0)",
    ),
    _known(
        "Squareplus",
        "Barron, Squareplus: A Softplus-Like Algebraic Rectifier",
        2021,
        "(x + torch.sqrt(x * x + 4)) / 2",
    ),
    _known(
        "Shifted softplus",
        "Schütt et al., SchNet: A Continuous-Filter Convolutional Neural Network for Modeling Quantum Interactions",
        2017,
        "F.softplus(x) - math.log(2)",
    ),
    _known(
        "SmeLU",
        "Shamir et al., Smooth Activations and Reproducibility in Deep Networks",
        2020,
        "torch.where(x.abs() <= 1, (x + 1) ** 2 / 4, F.relu(x))",
    ),
    _known(
        "NLReLU",
        "Liu et al., Natural-Logarithm-Rectified Activation Function in Convolutional Neural Networks",
        2019,
        "torch.log1p(F.relu(x))",
    ),
    _known(
        "Soft exponential",
        "Godfrey and Gashler, A Continuum among Logarithmic, Linear, and Exponential Functions",
        2015,
        "torch.expm1(0.5 * x) / 0.5 + 0.5",
    ),
    # self-gated
    _known("GELU (sigmoid)", _GELU, 2016, "x * torch.sigmoid(1.702 * x)"),
    _known("GELU (tanh)", _GELU, 2016, 'F.gelu(x, approximate="tanh")'),
    _known("Swish (learned)", _SEARCH, 2017, "x * torch.sigmoid(self.beta * x)", beta=1.0),
    _known(
        "E-swish", "Alcaide, E-swish: Adjusting Activations to Different Network Depths", 2018, "1.5 * x * x.sigmoid()"
    ),
    _known("dSiLU", _SILU, 2017, "s = torch.sigmoid(x)\nreturn s * (1 + x * (1 - s))"),
    _known("Flatten-T swish", "Chieng et al., Flatten-T Swish", 2018, "F.relu(x) * torch.sigmoid(x) - 0.2"),
    _known(
        "LiSHT",
        "Roy et al., LiSHT: Non-Parametric Linearly Scaled Hyperbolic Tangent Activation Function",
        2019,
        "x * torch.tanh(x)",
    ),
    _known(
        "TanhExp",
        "Liu and Di, TanhExp: A Smooth Activation Function with High Convergence Speed for Lightweight Neural Networks",
        2020,
        "x * torch.tanh(torch.exp(x))",
    ),
    _known(
        "TanhSoft-1",
        "Biswas et al., TanhSoft: A Family of Activation Functions Combining Tanh and Softplus",
        2020,
        "torch.tanh(0.87 * x) * F.softplus(x)",
    ),
    _known(
        "Serf",
        "Nag and Bhattacharyya, SERF: Towards Better Training of Deep Neural Networks Using Log-Softplus ERror "
        "Activation Function",
        2021,
        "x * torch.erf(F.softplus(x))",
    ),
    _known(
        "ErfAct",
        "Biswas et al., ErfAct and Pserf: Non-Monotonic Smooth Trainable Activation Functions",
        2021,
        "x * torch.erf(self.a * torch.exp(self.b * x))",
        a=0.75,
        b=0.75,
    ),
    _known(
        "Logish",
        "Zhu et al., Logish: A New Nonlinear Nonmonotonic Activation Function for Convolutional Neural Network",
        2021,
        "x * torch.log1p(torch.sigmoid(x))",
    ),
    _known(
        "Smish",
        "Wang et al., Smish: A Novel Activation Function for Deep Learning Methods",
        2022,
        "x * torch.tanh(torch.log1p(torch.sigmoid(x)))",
    ),
    _known("Phish", "Naveen, Phish: A Novel Hyper-Optimizable Activation Function", 2022, "x * torch.tanh(F.gelu(x))"),
    _known(
        "CoLU",
        "Vagerwal, Deeper Learning with CoLU Activation",
        2021,
        "x / (1 - x * torch.exp(-(x + torch.exp(x))))",
    ),
    _known(
        "Soft-root-sign",
        "Zhou et al., Soft-Root-Sign Activation Function",
        2020,
        "x / (x / self.a + torch.exp(-x / self.b))",
        a=2.0,
        b=3.0,
    ),
    _known(
        "SinLU",
        "Paul et al., SinLU: Sinu-Sigmoidal Linear Unit",
        2022,
        "(x + self.a * torch.sin(self.b * x)) * torch.sigmoid(x)",
        a=1.0,
        b=1.0,
    ),
    # found by search
    _known("max(x, sigmoid(x))", _SEARCH, 2017, "torch.maximum(x, torch.sigmoid(x))"),
    _known("max(x, tanh(x))", _SEARCH, 2017, "torch.maximum(x, torch.tanh(x))"),
    _known("min(x, sin(x))", _SEARCH, 2017, "torch.minimum(x, torch.sin(x))"),
    _known("cos(x) - x", _SEARCH, 2017, "torch.cos(x) - x"),
    _known("sinc(x) + x", _SEARCH, 2017, "torch.sinc(x / math.pi) + x"),
    _known("arctan(x)^2 - x", _SEARCH, 2017, "torch.atan(x) ** 2 - x"),
    _known("x arsinh(x)^2", _SEARCH, 2017, "x * torch.asinh(x) ** 2"),
    # powers
    _known(
        "Squared ReLU",
        "So et al., Primer: Searching for Efficient Transformers for Language Modeling",
        2021,
        "F.relu(x) ** 2",
    ),
    _known(
        "StarReLU",
        "Yu et al., MetaFormer Baselines for Vision",
        2022,
        "self.s * F.relu(x) ** 2 + self.b",
        s=0.8944,
        b=-0.4472,
    ),
    _known(
        "Cubed ReLU",
        "Li et al., Better Approximations of High Dimensional Smooth Functions by Deep Neural Networks with Rectified "
        "Power Units",
        2019,
        "F.relu(x) ** 3",
    ),
    _known(
        "Square",
        "Gilad-Bachrach et al., CryptoNets: Applying Neural Networks to Encrypted Data",
        2016,
        "x * x",
    ),
    _known("Cube", "Chen and Manning, A Fast and Accurate Dependency Parser Using Neural Networks", 2014, "x * x * x"),
    _known("NCU", _OSCILLATING, 2021, "x - x * x * x"),
    _known("SQU", _OSCILLATING, 2021, "x * x + x"),
    _known(
        "SoftModulusQ",
        "Vallés-Pérez et al., Empirical Study of the Modulus as Activation Function in Computer Vision Applications",
        2023,
        "m = x.abs()\nreturn torch.where(m <= 1, x * x * (2 - m), m)",
    ),
    # oscillating and local
    _known(
        "Snake",
        "Ziyin et al., Neural Networks Fail to Learn Periodic Functions and How to Fix It",
        2020,
        "x + torch.sin(x) ** 2",
    ),
    _known(
        "GCU",
        "Noel et al., Growing Cosine Unit: A Novel Oscillatory Activation Function",
        2021,
        "x * torch.cos(x)",
    ),
    _known(
        "Sine",
        "Parascandolo et al., Taming the Waves: Sine as Activation Function in Deep Neural Networks",
        2017,
        "torch.sin(x)",
    ),
    _known(
        "Gaussian",
        "Broomhead and Lowe, Multivariable Functional Interpolation and Adaptive Networks",
        1988,
        "torch.exp(-x * x)",
    ),
    _known(
        "Multiquadric",
        "Hardy, Multiquadric Equations of Topography and Other Irregular Surfaces",
        1971,
        "torch.sqrt(1 + x * x)",
    ),
    # across features
    _known(
        "LWTA (pairs)",
        "Srivastava et al., Compete to Compute",
        2013,
        _PAIRS.format(pairs="pairs * (pairs == pairs.amax(-1, keepdim=True))"),
    ),
    _known(
        "GroupSort (pairs)",
        "Anil et al., Sorting out Lipschitz Function Approximation",
        2018,
        _PAIRS.format(pairs="torch.stack([pairs.amax(-1), pairs.amin(-1)], -1)"),
    ),
)
