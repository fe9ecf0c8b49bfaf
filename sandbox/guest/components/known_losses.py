"""Published classification losses, as data: name, paper, year, and the loss of logits [n, c] and targets [n].

The baselines come first. Cross-entropy and label smoothing are the accepted best: the default of classification, and
that of most image recipes. Constants are those of the papers; where a paper gives a range, the name says which is meant
and the choice is ours. Several were made for wrong labels, which our data sets do not have, and are slower without.
"""

from __future__ import annotations

from dataclasses import replace

from .kind import Known
from .known_code import module_code


def _known(name: str, source: str, year: int, body: str) -> Known:
    return Known(name=name, source=source, year=year, code=module_code("Loss", "logits, targets", body, {}))


def _baseline(name: str, source: str, year: int, body: str, best: bool = False) -> Known:
    return replace(_known(name, source, year, body), baseline=True, best=best)


_HOT = "hot = F.one_hot(targets, logits.shape[1]).to(logits.dtype)\n"
_RIGHT = "right = logits.gather(1, targets[:, None])\n"
_NLL = 'nll = F.cross_entropy(logits, targets, reduction="none")\n'
_LOG = "log = F.log_softmax(logits, 1)\n"

_HINGE = f"""\
{_RIGHT}others = logits.scatter(1, targets[:, None], float("-inf")).amax(1, keepdim=True)
return F.relu(1 + others - right).mean()"""

_SYMMETRIC = f"""\
{_NLL}reverse = -math.log(1e-4) * (1 - torch.exp(-nll))
return (0.1 * nll + reverse).mean()"""

_JENSEN_SHANNON = f"""\
{_HOT}p = logits.softmax(1)
middle = ((hot + p) / 2).clamp(min=1e-7).log()
log = p.clamp(min=1e-7).log()
divergence = -(hot * middle).sum(1) / 2 + (p * (log - middle)).sum(1) / 2
return divergence.mean() / (math.log(2) / 2)"""

_SPARSEMAX = f"""\
{_RIGHT}ordered = logits.sort(1, descending=True).values
above = ordered.cumsum(1) - 1
rank = torch.arange(1, logits.shape[1] + 1, device=logits.device)
size = (ordered * rank > above).sum(1, keepdim=True)
threshold = above.gather(1, size - 1) / size
chosen = torch.where(logits > threshold, logits**2 - threshold**2, torch.zeros_like(logits))
return (0.5 * chosen.sum(1) + 0.5 - right[:, 0]).mean()"""

_CONFIDENCE = f"""\
{_LOG}entropy = -(log.exp() * log).sum(1)
return F.nll_loss(log, targets) - 0.1 * entropy.mean()"""

_TAYLOR = f"""\
{_NLL}wrong = 1 - torch.exp(-nll)
return (wrong + wrong**2 / 2).mean()"""

_SQUENTROPY = f"""\
{_HOT}squares = (logits * (1 - hot)).square().sum(1) / (logits.shape[1] - 1)
return F.cross_entropy(logits, targets) + squares.mean()"""

KNOWN_LOSSES: tuple[Known, ...] = (
    _baseline(
        "Cross-entropy",
        "Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs",
        1990,
        "F.cross_entropy(logits, targets)",
        best=True,
    ),
    _baseline(
        "Label smoothing",
        "Szegedy et al., Rethinking the Inception Architecture for Computer Vision",
        2016,
        "F.cross_entropy(logits, targets, label_smoothing=0.1)",
        best=True,
    ),
    _baseline(
        "Focal",
        "Lin et al., Focal Loss for Dense Object Detection",
        2017,
        f"{_NLL}return ((1 - torch.exp(-nll)) ** 2 * nll).mean()",
    ),
    _baseline(
        "Squared error",
        "Hui and Belkin, Evaluation of Neural Architectures Trained with Square Loss vs Cross-Entropy in "
        "Classification Tasks",
        2021,
        f"{_HOT}return F.mse_loss(logits, hot)",
    ),
    _baseline(
        "Brier score",
        "Brier, Verification of Forecasts Expressed in Terms of Probability",
        1950,
        f"{_HOT}return (logits.softmax(1) - hot).square().sum(1).mean()",
    ),
    _baseline(
        "Multiclass hinge",
        "Crammer and Singer, On the Algorithmic Implementation of Multiclass Kernel-Based Vector Machines",
        2001,
        _HINGE,
    ),
    _baseline(
        "Squared hinge",
        "Tang, Deep Learning Using Linear Support Vector Machines",
        2013,
        f"{_HOT}return F.relu(1 - (2 * hot - 1) * logits).square().sum(1).mean()",
    ),
    _baseline(
        "Generalized cross-entropy",
        "Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels",
        2018,
        f"{_NLL}return ((1 - torch.exp(-0.7 * nll)) / 0.7).mean()",
    ),
    _baseline(
        "Symmetric cross-entropy",
        "Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels",
        2019,
        _SYMMETRIC,
    ),
    _baseline(
        "Poly-1 (epsilon 1)",
        "Leng et al., PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions",
        2022,
        f"{_NLL}return (nll + 1 - torch.exp(-nll)).mean()",
    ),
    _baseline(
        "Mean absolute error",
        "Ghosh et al., Robust Loss Functions under Label Noise for Deep Neural Networks",
        2017,
        f"{_NLL}return (2 - 2 * torch.exp(-nll)).mean()",
    ),
    _baseline(
        "Confidence penalty (0.1)",
        "Pereyra et al., Regularizing Neural Networks by Penalizing Confident Output Distributions",
        2017,
        _CONFIDENCE,
    ),
    _baseline(
        "LogitNorm",
        "Wei et al., Mitigating Neural Network Overconfidence with Logit Normalization",
        2022,
        "norms = (logits.square().sum(1, keepdim=True) + 1e-14).sqrt() + 1e-7\n"
        "return F.cross_entropy(logits / norms / 0.04, targets)",
    ),
    _known(
        "One-vs-rest cross-entropy",
        "Wightman et al., ResNet Strikes Back: An Improved Training Procedure in timm",
        2021,
        f"{_HOT}return F.binary_cross_entropy_with_logits(logits, hot)",
    ),
    _known(
        "Sum of hinges",
        "Weston and Watkins, Support Vector Machines for Multi-Class Pattern Recognition",
        1999,
        "F.multi_margin_loss(logits, targets)",
    ),
    _known(
        "Jensen-Shannon",
        "Englesson and Azizpour, Generalized Jensen-Shannon Divergence Loss for Learning with Noisy Labels",
        2021,
        _JENSEN_SHANNON,
    ),
    _known(
        "Taylor cross-entropy (order 2)",
        "Feng et al., Can Cross Entropy Loss Be Robust to Label Noise?",
        2020,
        _TAYLOR,
    ),
    _known(
        "Normalized cross-entropy",
        "Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels",
        2020,
        f"{_NLL}{_LOG}return (nll / -log.sum(1)).mean()",
    ),
    _known(
        "Spherical score",
        "Gneiting and Raftery, Strictly Proper Scoring Rules, Prediction, and Estimation",
        2007,
        f"{_NLL}{_LOG}return (1 - torch.exp(-nll - 0.5 * torch.logsumexp(2 * log, 1))).mean()",
    ),
    _known(
        "Sparsemax",
        "Martins and Astudillo, From Softmax to Sparsemax: A Sparse Model of Attention and Multi-Label Classification",
        2016,
        _SPARSEMAX,
    ),
    _known(
        "Squentropy",
        "Hui et al., Cut Your Losses with Squentropy",
        2023,
        _SQUENTROPY,
    ),
    _known(
        "z-loss",
        "Chowdhery et al., PaLM: Scaling Language Modeling with Pathways",
        2022,
        "F.cross_entropy(logits, targets) + 1e-4 * torch.logsumexp(logits, 1).square().mean()",
    ),
    _known(
        "Logit penalty",
        "Kornblith et al., Why Do Better Loss Functions Lead to Less Transferable Features?",
        2021,
        "F.cross_entropy(logits, targets) + 6e-4 * logits.square().sum(1).mean()",
    ),
)
