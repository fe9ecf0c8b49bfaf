"""What predictions are judged by. The direction is data, never anybody's opinion, and the host computes every figure.

Predictions come as the task says: numbers, for two classes the probability of class 1, for more classes or masks the
class numbers. A figure is always a finite number: where a formula has no value (the correlation of a constant), the
metric says what such predictions are worth.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from engine.errors import PlanError

Values = NDArray[Any]
DIRECTIONS = {"lower": False, "minimize": False, "minimise": False, "higher": True, "maximize": True, "maximise": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`read` gets predictions and targets of equal shape, float64."""

    name: str
    title: str
    higher: bool  # whether higher is better
    read: Callable[[Values, Values], float]

    @property
    def direction(self) -> str:
        return "higher" if self.higher else "lower"

    @property
    def in_words(self) -> str:
        return f"{self.title} ({self.direction} is better)"

    def score(self, predictions: Values, targets: Values) -> float:
        """The host's figure. Raises ValueError for another shape than the targets', or what is not finite."""
        if predictions.shape != targets.shape:
            raise ValueError(f"{self.name}: predictions of shape {predictions.shape}, expected {targets.shape}")
        given, wanted = predictions.astype(np.float64), targets.astype(np.float64)
        if not given.size or not np.isfinite(given).all():
            raise ValueError(f"{self.name}: predictions must be finite numbers, at least one")
        return float(self.read(given, wanted))

    def improvement(self, candidate: float, baseline: float) -> float:
        """Positive where the candidate is better, whatever the direction."""
        return candidate - baseline if self.higher else baseline - candidate


def _correlation(correlate: Callable[..., Any]) -> Callable[[Values, Values], float]:
    def read(predictions: Values, targets: Values) -> float:
        if len(predictions) < 2 or np.ptp(predictions) == 0 or np.ptp(targets) == 0:
            return 0.0  # a constant says nothing about the order of anything
        found = float(correlate(predictions, targets).statistic)
        return found if np.isfinite(found) else 0.0

    return read


def _auc(predictions: Values, targets: Values) -> float:
    if len(np.unique(targets)) != 2:
        raise ValueError("auc: the held-out rows are all of one class")
    return float(metrics.roc_auc_score(targets, predictions))


def _accuracy(predictions: Values, targets: Values) -> float:
    return float(np.mean(_classes(predictions) == targets))


def _macro_f1(predictions: Values, targets: Values) -> float:
    return float(metrics.f1_score(targets, _classes(predictions), average="macro", zero_division=0))


def _classes(predictions: Values) -> Values:
    """Class numbers; a probability of class 1 is cut at one half."""
    return np.floor(predictions + 0.5)


def _log_loss(predictions: Values, targets: Values) -> float:
    """Natural logarithm; probabilities are kept 1e-6 away from 0 and 1, so that one wrong row is not everything."""
    probability = np.clip(predictions, 1e-6, 1 - 1e-6)
    return float(-np.mean(targets * np.log(probability) + (1 - targets) * np.log(1 - probability)))


def _dice(predictions: Values, targets: Values) -> float:
    """2 |X and Y| / (|X| + |Y|) over all pixels of all images (Dice 1945); two empty masks agree."""
    given, wanted = _classes(predictions) > 0, targets > 0
    total = int(given.sum() + wanted.sum())
    return 2 * int((given & wanted).sum()) / total if total else 1.0


def _rmse(predictions: Values, targets: Values) -> float:
    return float(np.sqrt(np.mean((predictions - targets) ** 2)))


def _mae(predictions: Values, targets: Values) -> float:
    return float(np.mean(np.abs(predictions - targets)))


def _r2(predictions: Values, targets: Values) -> float:
    spread = float(np.mean((targets - targets.mean()) ** 2))
    return 1 - float(np.mean((predictions - targets) ** 2)) / spread if spread else 0.0


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="spearman", title="Spearman's rank correlation", higher=True, read=_correlation(stats.spearmanr)),
        Metric(name="pearson", title="Pearson's correlation", higher=True, read=_correlation(stats.pearsonr)),
        Metric(name="accuracy", title="accuracy", higher=True, read=_accuracy),
        Metric(name="macro-f1", title="macro F1", higher=True, read=_macro_f1),
        Metric(name="auc", title="area under the ROC curve", higher=True, read=_auc),
        Metric(name="dice", title="Dice coefficient", higher=True, read=_dice),
        Metric(name="r2", title="R2", higher=True, read=_r2),
        Metric(name="log-loss", title="log-loss", higher=False, read=_log_loss),
        Metric(name="rmse", title="root mean squared error", higher=False, read=_rmse),
        Metric(name="mae", title="mean absolute error", higher=False, read=_mae),
    )
}
_ALIASES = {
    "acc": "accuracy",
    "auroc": "auc",
    "roc-auc": "auc",
    "correlation": "pearson",
    "pearson-correlation": "pearson",
    "pearson-r": "pearson",
    "spearman-correlation": "spearman",
    "f1": "macro-f1",
    "f1-macro": "macro-f1",
    "logloss": "log-loss",
    "cross-entropy": "log-loss",
    "mean-absolute-error": "mae",
    "root-mean-squared-error": "rmse",
    "dice-coefficient": "dice",
}


def metric_named(name: str, direction: str | None = None) -> Metric:
    """Raises PlanError for an unknown name, and for a direction that contradicts the metric's."""
    plain = "-".join(name.lower().replace("_", " ").replace("-", " ").replace("'s", "").split())
    found = METRICS.get(_ALIASES.get(plain, plain))
    if found is None:
        near = difflib.get_close_matches(plain, [*METRICS, *_ALIASES], n=1)
        meant = f" Did you mean {_ALIASES.get(near[0], near[0])!r}?" if near else ""
        raise PlanError(f"The metric {name!r} is not known.{meant} Known: {', '.join(METRICS)}.")
    if direction is not None and DIRECTIONS.get(direction.strip().lower().split()[0] if direction.strip() else "") != (
        found.higher
    ):
        raise PlanError(f"The direction {direction!r} contradicts {found.name}: {found.direction} is better.")
    return found
