"""How often chance may be mistaken for a finding: within a round (Holm), and over all rounds to come (LORD++).

Within a round, Holm's step-down procedure (Holm 1979, "A simple sequentially rejective multiple test procedure") keeps
the probability of any false finding at most alpha_t, whatever the dependence of its tests, which share baselines.

Over rounds, alpha_t comes from LORD++ (Javanmard and Montanari 2018, Annals of Statistics 46; Ramdas, Yang, Wainwright
and Jordan 2017, arXiv 1710.00499):

    alpha_t = w0 gamma_t + (alpha - w0) gamma_(t - tau_1) + alpha sum over j >= 2 of gamma_(t - tau_j)

tau_j being the round of the j-th one with a finding, gamma a sequence that falls and adds up to 1. Every finding earns
what later rounds spend, so requests may go on for years, where a fixed alpha for each would let through one false
finding in twenty, and Bonferroni over an unknown number of rounds would let through nothing. It was chosen over
SAFFRON and ADDIS because it needs to know of a round only whether anything was found in it, which is what Holm's
procedure bounds; those gain only where the p-values of rounds without a finding are close to uniform, which a smallest
adjusted one is not. Since a round tests with alpha_t given everything before it, and its seeds are fresh, the expected
number of rounds with a false finding is at most alpha times that of rounds with any (mFDR <= alpha). A round that is
under way when another one is planned counts as one without a finding until it is decided (Zrnic, Ramdas and Jordan
2021, "Asynchronous online testing of multiple hypotheses", JMLR 22): its tau is the number of rounds planned by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import zeta

from engine.finding import Round

ALPHA = 0.05
INITIAL_WEALTH = ALPHA / 2
DECAY = (
    1.6  # gamma_t ~ t^-1.6, as Ramdas, Zrnic, Wainwright and Jordan (2018, "SAFFRON") use: most goes to early rounds
)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: each is the smallest alpha at which Holm's procedure rejects."""
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def gamma(lag: int) -> float:
    """Of LORD++; adds up to 1 over 1, 2, 3, ... and is 0 for what is not later."""
    return float(lag**-DECAY / zeta(DECAY)) if lag > 0 else 0.0


def next_alpha(rounds: Sequence[Round]) -> float:
    """The level of the round that is planned next, from all before it."""
    number = len(rounds) + 1
    found = sorted(r.closing.after for r in rounds if r.closing is not None and r.closing.found)
    first, later = found[:1], found[1:]
    return (
        INITIAL_WEALTH * gamma(number)
        + (ALPHA - INITIAL_WEALTH) * sum(gamma(number - after) for after in first)
        + ALPHA * sum(gamma(number - after) for after in later)
    )


def wealth(rounds: Sequence[Round]) -> float:
    """What is left to spend: w0 - all alphas so far + what findings earned (alpha - w0 the first, alpha each later)."""
    found = sum(r.closing is not None and r.closing.found for r in rounds)
    earned = max(0.0, found * ALPHA - INITIAL_WEALTH)
    return INITIAL_WEALTH - sum(r.alpha for r in rounds) + earned
