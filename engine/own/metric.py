"""What a team may judge its model by. The direction is data: every metric becomes a loss, of which lower is better."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn import metrics

from engine.errors import OwnSuiteError

Values = NDArray[np.float64]
DIRECTIONS = {"lower": False, "minimize": False, "minimise": False, "higher": True, "maximize": True, "maximise": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`read` gets logits [n, classes] or values [n], and class numbers or values [n]; a perfect higher one is 1."""

    name: str
    title: str
    classes: bool  # it needs a classification; else a regression
    higher: bool
    read: Callable[[Values, Values], float]

    def loss(self, outputs: Values, targets: Values) -> float:
        found = self.read(outputs, targets)
        return max(0.0, 1.0 - found) if self.higher else found

    @property
    def in_words(self) -> str:
        return f"held-out {self.title}" + (f" (as 1 - {self.title}: lower is better)" if self.higher else "")


def _log_loss(logits: Values, targets: Values) -> float:
    right = np.take_along_axis(log_softmax(logits, 1), targets[:, None].astype(np.int64), 1)
    return float(-right.mean())


def _brier(logits: Values, targets: Values) -> float:
    """Mean over rows of the squared distance to the right class, summed over classes (Brier 1950)."""
    return float(((softmax(logits, 1) - np.eye(logits.shape[1])[targets.astype(np.int64)]) ** 2).sum(1).mean())


def _accuracy(logits: Values, targets: Values) -> float:
    return float(metrics.accuracy_score(targets, logits.argmax(1)))


def _f1(logits: Values, targets: Values) -> float:
    return float(metrics.f1_score(targets, logits.argmax(1), average="macro", zero_division=0))


def _auc(logits: Values, targets: Values) -> float:
    if logits.shape[1] == 2:
        return float(metrics.roc_auc_score(targets, logits[:, 1] - logits[:, 0]))
    return float(metrics.roc_auc_score(targets, softmax(logits, 1), multi_class="ovr", labels=range(logits.shape[1])))


def _average_precision(logits: Values, targets: Values) -> float:
    if logits.shape[1] == 2:
        return float(metrics.average_precision_score(targets, logits[:, 1] - logits[:, 0]))
    return float(metrics.average_precision_score(np.eye(logits.shape[1])[targets.astype(np.int64)], softmax(logits, 1)))


def _of_values(read: Callable[..., Any]) -> Callable[[Values, Values], float]:
    return lambda values, targets: float(read(targets, values))


def _named(classes: bool, higher: bool, **reads: tuple[str, Callable[[Values, Values], float]]) -> dict[str, Metric]:
    return {
        name.replace("_", "-"): Metric(
            name=name.replace("_", "-"), title=title, classes=classes, higher=higher, read=read
        )
        for name, (title, read) in reads.items()
    }


METRICS: Mapping[str, Metric] = {
    **_named(True, False, log_loss=("log-loss", _log_loss), brier=("Brier score", _brier)),
    **_named(True, True, accuracy=("accuracy", _accuracy), f1=("macro F1", _f1), auc=("AUC", _auc)),
    **_named(True, True, average_precision=("average precision", _average_precision)),
    **_named(False, False, mse=("mean squared error", _of_values(metrics.mean_squared_error))),
    **_named(False, False, rmse=("root mean squared error", _of_values(metrics.root_mean_squared_error))),
    **_named(False, False, mae=("mean absolute error", _of_values(metrics.mean_absolute_error))),
    **_named(False, True, r2=("R2", _of_values(metrics.r2_score))),
}
_ALIASES = {
    "logloss": "log-loss",
    "cross-entropy": "log-loss",
    "crossentropy": "log-loss",
    "nll": "log-loss",
    "brier-score": "brier",
    "acc": "accuracy",
    "macro-f1": "f1",
    "f1-macro": "f1",
    "roc-auc": "auc",
    "auroc": "auc",
    "ap": "average-precision",
    "mean-squared-error": "mse",
    "root-mean-squared-error": "rmse",
    "mean-absolute-error": "mae",
    "r-squared": "r2",
}


def metric_named(name: str, direction: str | None = None) -> Metric:
    """Raises OwnSuiteError for an unknown name, and for a direction that is not the metric's."""
    plain = "-".join(name.strip().lower().replace("_", " ").replace("-", " ").split())
    found = METRICS.get(_ALIASES.get(plain, plain))
    if found is None:
        near = difflib.get_close_matches(plain, [*METRICS, *_ALIASES], n=1)
        meant = f" Did you mean {_ALIASES.get(near[0], near[0])!r}?" if near else ""
        raise OwnSuiteError(f"METRIC = {name!r} is not known.{meant} Known: {', '.join(METRICS)}.")
    if direction is not None:
        wanted = DIRECTIONS.get(direction.strip().lower())
        if wanted is None:
            raise OwnSuiteError(f'DIRECTION = {direction!r} must be "lower" or "higher".')
        if wanted != found.higher:
            better = "higher" if found.higher else "lower"
            raise OwnSuiteError(
                f"DIRECTION = {direction!r} contradicts METRIC = {name!r}: {better} is better. Leave DIRECTION out."
            )
    return found
