"""What was measured of one hypothesis: trials, and the figures that follow from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 90 % interval over seeds (not over new data sets)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One (cell, seed). A cell is data set / architecture, e.g. `digits/mlp2`."""

    cell: str
    seed: int
    loss: float | None  # what decides, on held-out examples, read by the host as the suite's metric says: the log-loss,
    # or the Brier score at the best temperature; for a regression the squared error. None: it diverged
    accuracy: float | None  # share correct, R2 for regression; None: it diverged
    final_loss: float | None = None  # the same loss at the last checkpoint alone; None: it diverged, or is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A factor of the grid, and how an arm did with it on GRID_SEEDS."""

    factor: float
    losses: tuple[float | None, ...]  # in the order of the suite's cells; None: it diverged


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Figures of one hypothesis on one set of trials. All are functions of `trials` and the baselines' trials."""

    hypothesis_id: str
    suite: str  # identity, e.g. `screen-3/3fa90c1d`
    seeds: tuple[int, ...]
    trials: tuple[Trial, ...]
    b_wr: Estimate  # share of (baseline, trial) pairs won, a tie counts one half
    bsota_wr: Estimate  # share of trials won against the best baseline of that trial
    effect: Estimate  # raw: median over trials of the relative loss difference against the best baseline
    diverged: int  # trials that diverged; each is a loss
    seconds: float  # wall time of its evaluation
    tier: str  # how the candidate was batched: direct, vmap or loop
    sandbox: str
    device: str
    factor: float | None = None  # of the grid, which it was trained with; None: measured before this was kept
    grid: tuple[Tried, ...] = ()  # what the factor was chosen from; empty for a grid of one


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineTrials:
    """A baseline's trials, kept under everything that they depend on."""

    kind: str
    baseline: str
    suite: str
    seeds: tuple[int, ...]
    torch_version: str
    device: str
    trials: tuple[Trial, ...]
    seconds: float
    code_digest: str  # of the baseline's source and the guest's training code
    factor: float | None = None  # as in Score
    grid: tuple[Tried, ...] = ()
