"""Published regularizers, as data: name, paper, year, expression in `weights` and `activations`.

The ten baselines come first. L2 (weight decay) is the accepted best: the default of nearly every recipe. The papers'
strengths belong to their nets and losses; ours are chosen for small nets with a log-loss around 1 (measured on digits,
width 32): the gradient of a baseline is 1 to 20 % of the loss's at the start of training, more for the strong L2,
nothing yet for max-norm, which begins when neurons have grown.
"""

from __future__ import annotations

from dataclasses import replace

from .kind import Known
from .known_code import module_code


def _known(name: str, source: str, year: int, body: str) -> Known:
    code = module_code("Regularizer", "weights, activations", body, {})
    return Known(name=name, source=source, year=year, code=code)


def _baseline(name: str, source: str, year: int, body: str, best: bool = False) -> Known:
    return replace(_known(name, source, year, body), baseline=True, best=best)


_DECAY = "Krogh and Hertz, A Simple Weight Decay Can Improve Generalization"
_ORTHOGONALITY = "Bansal et al., Can We Gain More from Orthogonality Regularizations in Training Deep CNNs?"
_GROUPS = "Scardapane et al., Group Sparse Regularization for Deep Neural Networks"

_EACH_GRAM = """\
total = 0.0
for w in weights:
    gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
    excess = gram - torch.eye(len(gram), dtype=w.dtype, device=w.device)
    total = total + {term}
return {strength} * total"""

_LARGEST_SINGULAR = """\
total = 0.0
for w in weights:
    a = {matrix}
    with torch.no_grad():
        v = F.normalize(a.sum(0) + 1e-3, dim=0)
        for _ in range(5):
            u = F.normalize(a @ v, dim=0)
            v = F.normalize(a.T @ u, dim=0)
    total = total + (u @ a @ v) ** {power}
return {strength} * total"""

_EACH_COVARIANCE = """\
total = 0.0
for a in activations:
    centred = a - a.mean(0)
    covariance = centred.T @ centred / len(a)
    total = total + (covariance.square().sum() - covariance.diagonal().square().sum()) / 2
return 1e-3 * total"""

_ORTHOREG = """\
total = 0.0
for w in weights:
    rows = F.normalize(w, dim=1, eps=1e-6)
    alike = F.softplus(10 * (rows @ rows.T - 1))
    total = total + alike.sum() - alike.diagonal().sum()
return 1e-2 * total"""

_PATHS = """\
reached = torch.ones_like(weights[0][0])
for w in weights:
    if w.shape[1] != len(reached):
        reached = reached.mean().expand(w.shape[1])
    reached = w.square() @ reached
return 1e-2 * reached.sum()"""

_MINIMAX_CONCAVE = """\
total = 0.0
for w in weights:
    m = w.abs().clamp(max=0.6)
    total = total + (0.2 * m - m.square() / 6).sum()
return 5e-4 * total"""


def _over_weights(strength: str, term: str) -> str:
    return f"{strength} * sum({term} for w in weights)"


def _over_activations(strength: str, term: str) -> str:
    return f"{strength} * sum({term} for a in activations)"


KNOWN_REGULARIZERS: tuple[Known, ...] = (
    _baseline("None", "Vapnik, Principles of Risk Minimization for Learning Theory", 1991, "weights[0].new_zeros(())"),
    _baseline("L2", _DECAY, 1991, _over_weights("5e-4", "w.square().sum()"), best=True),
    _baseline("L2 (strong)", _DECAY, 1991, _over_weights("5e-3", "w.square().sum()")),
    _baseline(
        "L1",
        "Tibshirani, Regression Shrinkage and Selection via the Lasso",
        1996,
        _over_weights("3e-4", "w.abs().sum()"),
    ),
    _baseline(
        "Elastic net",
        "Zou and Hastie, Regularization and Variable Selection via the Elastic Net",
        2005,
        "sum(1.5e-4 * w.abs().sum() + 2.5e-4 * w.square().sum() for w in weights)",
    ),
    _baseline(
        "Soft orthogonality",
        _ORTHOGONALITY,
        2018,
        _EACH_GRAM.format(strength="1e-3", term="excess.square().sum()"),
    ),
    _baseline(
        "Spectral norm",
        "Yoshida and Miyato, Spectral Norm Regularization for Improving the Generalizability of Deep Learning",
        2017,
        _LARGEST_SINGULAR.format(matrix="w", power=2, strength="5e-3"),
    ),
    _baseline(
        "Max-norm",
        "Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
        2014,
        _over_weights("1e-2", "F.relu((w.square().sum(1) + 1e-12).sqrt() - 1).square().sum()"),
    ),
    _baseline(
        "Activation L1",
        "Glorot et al., Deep Sparse Rectifier Neural Networks",
        2011,
        _over_activations("1e-3", "a.abs().sum(1).mean()"),
    ),
    _baseline(
        "DeCov",
        "Cogswell et al., Reducing Overfitting in Deep Networks by Decorrelating Representations",
        2015,
        _EACH_COVARIANCE,
    ),
    # sizes of weights
    _known(
        "Bridge (power 1/2)",
        "Frank and Friedman, A Statistical View of Some Chemometrics Regression Tools",
        1993,
        _over_weights("3e-5", "(w.square() + 1e-6).pow(0.25).sum()"),
    ),
    _known(
        "Log-sum",
        "Candès et al., Enhancing Sparsity by Reweighted L1 Minimization",
        2008,
        _over_weights("3e-5", "torch.log1p(10 * w.abs()).sum()"),
    ),
    _known(
        "Minimax concave",
        "Zhang, Nearly Unbiased Variable Selection under Minimax Concave Penalty",
        2010,
        _MINIMAX_CONCAVE,
    ),
    _known(
        "Weight elimination",
        "Weigend et al., Generalization by Weight-Elimination with Application to Forecasting",
        1990,
        _over_weights("5e-4", "(w.square() / (w.square() + 0.25)).sum()"),
    ),
    _known(
        "Hoyer-square",
        "Yang et al., DeepHoyer: Learning Sparser Neural Network with Differentiable Sparsity Measures",
        2019,
        _over_weights("2e-5", "w.abs().sum() ** 2 / (w.square().sum() + 1e-12)"),
    ),
    # groups of weights
    _known("Group lasso", _GROUPS, 2016, _over_weights("1e-3", "(w.square().sum(0) + 1e-12).sqrt().sum()")),
    _known(
        "Sparse group lasso",
        _GROUPS,
        2016,
        "sum(5e-4 * (w.square().sum(0) + 1e-12).sqrt().sum() + 5e-5 * w.abs().sum() for w in weights)",
    ),
    _known(
        "Neuron group lasso",
        "Wen et al., Learning Structured Sparsity in Deep Neural Networks",
        2016,
        _over_weights("1e-3", "(w.square().sum(1) + 1e-12).sqrt().sum()"),
    ),
    _known(
        "Exclusive lasso",
        "Zhou et al., Exclusive Lasso for Multi-task Feature Selection",
        2010,
        _over_weights("5e-5", "w.abs().sum(0).square().sum()"),
    ),
    # spectra and angles of weights
    _known(
        "Orthogonality (L1)",
        "Brock et al., Neural Photo Editing with Introspective Adversarial Networks",
        2016,
        _EACH_GRAM.format(strength="2e-4", term="excess.abs().sum()"),
    ),
    _known(
        "Mutual coherence",
        _ORTHOGONALITY,
        2018,
        _EACH_GRAM.format(strength="1e-2", term="excess.abs().sum(1).amax()"),
    ),
    _known(
        "SRIP",
        _ORTHOGONALITY,
        2018,
        _LARGEST_SINGULAR.format(
            matrix="w.T @ w - torch.eye(w.shape[1], dtype=w.dtype, device=w.device)", power=1, strength="1e-2"
        ),
    ),
    _known(
        "OrthoReg",
        "Rodríguez et al., Regularizing CNNs with Locally Constrained Decorrelations",
        2016,
        _ORTHOREG,
    ),
    _known(
        "Nuclear norm",
        "Recht et al., Guaranteed Minimum-Rank Solutions of Linear Matrix Equations via Nuclear Norm Minimization",
        2010,
        _over_weights("1e-3", 'torch.linalg.matrix_norm(w, ord="nuc")'),
    ),
    _known(
        "Path norm", "Neyshabur et al., Path-SGD: Path-Normalized Optimization in Deep Neural Networks", 2015, _PATHS
    ),
    # activations
    _known(
        "Activation L2",
        "Merity et al., Revisiting Activation Regularization for Language RNNs",
        2017,
        _over_activations("2e-2", "a.square().mean()"),
    ),
    _known(
        "Log activity",
        "Olshausen and Field, Emergence of Simple-Cell Receptive Field Properties by Learning a Sparse Code",
        1996,
        _over_activations("1e-3", "torch.log1p(a.square()).sum(1).mean()"),
    ),
    _known(
        "Sparse mean activity",
        "Lee et al., Sparse Deep Belief Net Model for Visual Area V2",
        2007,
        _over_activations("2e-3", "(a.mean(0) - 0.05).square().sum()"),
    ),
    _known(
        "Variance hinge",
        "Bardes et al., VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
        2021,
        _over_activations("5e-2", "F.relu(1 - (a.var(0) + 1e-4).sqrt()).mean()"),
    ),
)
