"""Published preprocessors, as data: name, paper, year, bodies of `fit(x [n, d])` and `forward(x [m, d])`.

The ten baselines come first. Standardization and the quantile transform to a normal are the accepted best: the defaults
of nets in general and of nets on tables. Constants are those of the papers where they give any; sizes of expansions
are ours, within the contract's 4 d + 64.
"""

from __future__ import annotations

from dataclasses import replace

from . import preprocessor_code as of
from .kind import Known


def _known(name: str, source: str, year: int, fit: str, forward: str, before: str = "") -> Known:
    return Known(name=name, source=source, year=year, code=of.preprocessor_code(fit, forward, before))


def _baseline(
    name: str, source: str, year: int, fit: str, forward: str, before: str = "", *, best: bool = False
) -> Known:
    return replace(_known(name, source, year, fit, forward, before), baseline=True, best=best)


_BACKPROP = "LeCun et al., Efficient BackProp"
_KESSY = "Kessy, Lewin and Strimmer, Optimal Whitening and Decorrelation"
_EMBEDDINGS = "Gorishniy et al., On Embeddings for Numerical Features in Tabular Deep Learning"
_COATES = "Coates, Ng and Lee, An Analysis of Single-Layer Networks in Unsupervised Feature Learning"
_METABOLOMICS = (
    "Van den Berg et al., Centering, Scaling, and Transformations: Improving the Biological Information Content of "
    "Metabolomics Data"
)


KNOWN_PREPROCESSORS: tuple[Known, ...] = (
    _baseline(
        "Identity",
        "Rumelhart, Hinton and Williams, Learning Representations by Back-Propagating Errors",
        1986,
        "",
        "x.clone()",
    ),
    _baseline("Standardization", _BACKPROP, 1998, of.STANDARDIZE, of.STANDARD, best=True),
    _baseline(
        "Min-max to [-1, 1]",
        "Sola and Sevilla, Importance of Input Data Normalization for the Application of Neural Networks to Complex "
        "Industrial Problems",
        1997,
        of.MINMAX,
        of.MINMAXED,
    ),
    _baseline(
        "Robust scaling and smooth clipping",
        "Holzmüller, Grinsztajn and Steinwart, Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular "
        "Data",
        2024,
        of.ROBUST,
        "z = (x - self.centre) * self.scale\nreturn z / (1 + (z / 3).square()).sqrt()",
    ),
    _baseline(
        "Quantile transform to a normal",
        "Gorishniy et al., Revisiting Deep Learning Models for Tabular Data",
        2021,
        of.QUANTILE,
        f"{of.RANK}return torch.special.ndtri(rank)",
        best=True,
    ),
    _baseline(
        "Yeo-Johnson",
        "Yeo and Johnson, A New Family of Power Transformations to Improve Normality or Symmetry",
        2000,
        of.FIT_YEO_JOHNSON,
        f"(yeo_johnson({of.STANDARD}, self.power) - self.centre) / self.spread",
        of.YEO_JOHNSON,
    ),
    _baseline(
        "PCA whitening",
        _BACKPROP,
        1998,
        f"{of.EIGEN}self.turn = (vectors * root).float()",
        f"({of.STANDARD}) @ self.turn",
    ),
    _baseline(
        "ZCA whitening",
        "Bell and Sejnowski, The “Independent Components” of Natural Scenes Are Edge Filters",
        1997,
        f"{of.EIGEN}self.turn = (vectors * root @ vectors.T).float()",
        f"({of.STANDARD}) @ self.turn",
    ),
    _baseline(
        "Piecewise linear encoding (quartiles)",
        _EMBEDDINGS,
        2022,
        of.ENCODE,
        of.ENCODED,
    ),
    _baseline(
        "Random Fourier features",
        "Rahimi and Recht, Random Features for Large-Scale Kernel Machines",
        2007,
        f"{of.DISTANCES}count = 2 * x.shape[1] + 32\n"
        "self.frequencies = torch.randn(x.shape[1], count) / width\nself.phases = 2 * math.pi * torch.rand(count)",
        f"math.sqrt(2) * torch.cos(({of.STANDARD}) @ self.frequencies + self.phases)",
    ),
    # one column at a time
    _known("Centering", _BACKPROP, 1998, "self.mean = x.mean(0)", "x - self.mean"),
    _known(
        "Pareto scaling",
        _METABOLOMICS,
        2006,
        of.STANDARDIZE,
        "(x - self.mean) * self.scale.sqrt()",
    ),
    _known(
        "Median and median absolute deviation",
        "Hampel, The Influence Curve and Its Role in Robust Estimation",
        1974,
        of.MEDIAN,
        "(x - self.centre) * self.scale",
    ),
    _known(
        "Rank transform",
        "Conover and Iman, Rank Transformations as a Bridge between Parametric and Nonparametric Statistics",
        1981,
        of.QUANTILE,
        f"{of.RANK}return math.sqrt(12) * (rank - 0.5)",
    ),
    _known("Box-Cox", "Box and Cox, An Analysis of Transformations", 1964, of.BOX_COX, of.BOX_COXED, of.YEO_JOHNSON),
    _known(
        "Inverse hyperbolic sine",
        "Burbidge, Magee and Robb, Alternative Transformations to Handle Extreme Values of the Dependent Variable",
        1988,
        of.STANDARDIZE,
        f"torch.asinh({of.STANDARD})",
    ),
    _known(
        "Signed logarithm",
        "John and Draper, An Alternative Family of Transformations",
        1980,
        of.STANDARDIZE,
        f"z = {of.STANDARD}\nreturn z.sign() * torch.log1p(z.abs())",
    ),
    _known(
        "Winsorizing at 5 %",
        "Tukey and McLaughlin, Less Vulnerable Confidence and Significance Procedures for Location Based on a Single "
        "Sample: Trimming/Winsorization 1",
        1963,
        f"self.low, self.high = torch.quantile(x, torch.tensor([0.05, 0.95]), 0)\n"
        f"x = x.clamp(self.low, self.high)\n{of.STANDARDIZE}",
        "(x.clamp(self.low, self.high) - self.mean) * self.scale",
    ),
    # a row at a time
    _known(
        "Rows of unit length",
        "Salton, Wong and Yang, A Vector Space Model for Automatic Indexing",
        1975,
        "",
        "F.normalize(x, dim=1, eps=1e-6)",
    ),
    _known(
        "Spatial sign",
        "Serneels, De Nolf and Van Espen, Spatial Sign Preprocessing: A Simple Way to Impart Moderate Robustness to "
        "Multivariate Estimators",
        2006,
        of.STANDARDIZE,
        f"math.sqrt(x.shape[1]) * F.normalize({of.STANDARD}, dim=1, eps=1e-6)",
    ),
    _known(
        "Contrast normalization of rows",
        _COATES,
        2011,
        "self.small = 0.01 * x.var(1).mean()",
        "(x - x.mean(1, keepdim=True)) * torch.rsqrt(x.var(1, keepdim=True) + self.small + 1e-6)",
    ),
    # linear maps
    _known(
        "Principal components",
        "Jolliffe, Principal Component Analysis",
        1986,
        f"{of.EIGEN}self.turn = vectors.float()",
        f"({of.STANDARD}) @ self.turn",
    ),
    _known(
        "Cholesky whitening",
        _KESSY,
        2018,
        of.CHOLESKY,
        f"({of.STANDARD}) @ self.turn",
    ),
    _known(
        "FastICA",
        "Hyvärinen, Fast and Robust Fixed-Point Algorithms for Independent Component Analysis",
        1999,
        of.ICA,
        f"({of.STANDARD}) @ self.unmix",
    ),
    _known(
        "Discrete cosine transform",
        "Ahmed, Natarajan and Rao, Discrete Cosine Transform",
        1974,
        of.COSINES,
        f"({of.STANDARD}) @ self.turn",
    ),
    _known(
        "Random projection",
        "Achlioptas, Database-Friendly Random Projections: Johnson-Lindenstrauss with Binary Coins",
        2003,
        f"{of.STANDARDIZE}d = x.shape[1]\nself.turn = (torch.randint(2, (d, d)) * 2.0 - 1) / math.sqrt(d)",
        f"({of.STANDARD}) @ self.turn",
    ),
    # more features than inputs
    _known(
        "Squares and products of neighbours",
        "Ivakhnenko, Polynomial Theory of Complex Systems",
        1971,
        of.STANDARDIZE,
        f"z = {of.STANDARD}\nreturn torch.cat([z, (z.square() - 1) / math.sqrt(2), z * z.roll(1, 1)], 1)",
    ),
    _known(
        "Functional link (trigonometric)",
        "Pao, Adaptive Pattern Recognition and Neural Networks",
        1989,
        of.MINMAX,
        f"z = {of.MINMAXED}\nturns = math.pi * z\nreturn torch.cat([z, turns.sin(), turns.cos()], 1)",
    ),
    _known(
        "Positional encoding of values",
        "Mildenhall et al., NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis",
        2020,
        of.MINMAX,
        f"turns = math.pi * ({of.MINMAXED})\n"
        "return torch.cat([turns.sin(), turns.cos(), (2 * turns).sin(), (2 * turns).cos()], 1)",
    ),
    _known(
        "Gaussian Fourier features",
        "Tancik et al., Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains",
        2020,
        f"{of.DISTANCES}self.frequencies = torch.randn(x.shape[1], x.shape[1] + 32) / width",
        f"turns = ({of.STANDARD}) @ self.frequencies\nreturn torch.cat([turns.sin(), turns.cos()], 1)",
    ),
    _known(
        "Orthogonal random features",
        "Yu et al., Orthogonal Random Features",
        2016,
        of.ORTHOGONAL,
        f"turns = ({of.STANDARD}) @ self.frequencies\nreturn torch.cat([turns.sin(), turns.cos()], 1)",
    ),
    _known(
        "Extreme learning machine features",
        "Huang, Zhu and Siew, Extreme Learning Machine: Theory and Applications",
        2006,
        f"{of.STANDARDIZE}count = 2 * x.shape[1] + 32\n"
        "self.maps = torch.rand(x.shape[1], count) * 2 - 1\nself.offsets = torch.rand(count)",
        f"torch.sigmoid(({of.STANDARD}) @ self.maps + self.offsets)",
    ),
    _known(
        "Nyström features",
        "Williams and Seeger, Using the Nyström Method to Speed Up Kernel Machines",
        2001,
        of.NYSTROEM,
        f"torch.exp(-0.5 * (torch.cdist({of.STANDARD}, self.landmarks) / self.width).square()) @ self.root",
    ),
    _known(
        "Radial basis functions",
        "Broomhead and Lowe, Multivariable Functional Interpolation and Adaptive Networks",
        1988,
        f"{of.DISTANCES}self.width = width\nself.centres = z[torch.randperm(len(z))[: 2 * x.shape[1] + 32]]",
        f"torch.exp(-0.5 * (torch.cdist({of.STANDARD}, self.centres) / self.width).square())",
    ),
    _known("k-means triangle", _COATES, 2011, of.CLUSTER, of.TRIANGLE),
    _known(
        "Hinges at quartiles",
        "Friedman, Multivariate Adaptive Regression Splines",
        1991,
        f"{of.STANDARDIZE}self.knots = torch.quantile({of.STANDARD}, torch.tensor([0.25, 0.5, 0.75]), 0)",
        f"z = {of.STANDARD}\nreturn torch.cat([z, F.relu(z[:, None] - self.knots).flatten(1)], 1)",
    ),
    _known(
        "One-hot quartile bins",
        "Dougherty, Kohavi and Sahami, Supervised and Unsupervised Discretization of Continuous Features",
        1995,
        "self.edges = torch.quantile(x, torch.tensor([0.25, 0.5, 0.75]), 0)",
        "above = (x[:, None] > self.edges).sum(1)\nreturn F.one_hot(above, 4).flatten(1).to(x.dtype)",
    ),
    _known(
        "Thermometer encoding (quartiles)",
        "Buckman et al., Thermometer Encoding: One Hot Way to Resist Adversarial Examples",
        2018,
        "self.edges = torch.quantile(x, torch.tensor([0.25, 0.5, 0.75]), 0)",
        "(x[:, None] > self.edges).flatten(1).to(x.dtype) * 2 - 1",
    ),
    _known(
        "Iterative Gaussianization",
        "Laparra, Camps-Valls and Malo, Iterative Gaussianization: From ICA to Random Rotations",
        2011,
        of.GAUSSIANIZE,
        of.GAUSSIANIZED,
        of.TO_NORMAL,
    ),
)
