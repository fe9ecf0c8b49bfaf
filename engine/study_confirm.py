"""A study's confirmations: what is promising goes through the product's own, findings through a second one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine.confirm import MARGIN, SEEDS, Confirm, mean_difference
from engine.finding import Confirmation, Round
from engine.ledger import Ledger
from engine.multiplicity import holm, next_alpha
from engine.placebos import read_as
from engine.score import Estimate
from engine.study import Study, other
from engine.suite import FULL
from engine.winrate import Yardstick

ENOUGH_FINDINGS = 20  # below, nothing is said about how findings replicate
FIRST, AGAIN = "first", "again"
UNPAIRED_FROM = 500_000  # two sets of seeds for each A/A test, as if one were the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What came of what was promising. `seconds` are those of the trainings of hypotheses."""

    first: dict[str, Confirmation]  # by hypothesis id
    again: dict[str, Confirmation]  # of the findings among them
    seconds: float

    @property
    def findings(self) -> int:
        return sum(one.finding for one in self.first.values())

    @property
    def sign_kept(self) -> int:
        return sum(one.mean is not None and one.mean.value > 0 for one in self.again.values())

    @property
    def win_kept(self) -> int:
        return sum(one.finding for one in self.again.values())

    @property
    def replicated_over_first(self) -> float | None:
        """Sum of the second effects over that of the first: below 1 when the first ones were lucky."""
        pairs = [(self.first[id].mean, two.mean) for id, two in self.again.items()]
        both = [(one.value, two.value) for one, two in pairs if one is not None and two is not None]
        return sum(two for _, two in both) / sum(one for one, _ in both) if both else None


class Confirmations:
    """Only where the truth is the full suite's: a quick look with another one confirms nothing."""

    def __init__(self, study: Study, ledger: Ledger) -> None:
        self._study = study
        self._ledger = ledger
        kinds = {study.kind.name: study.kind}
        self._confirm = Confirm(journal=study.journal, ledger=ledger, evaluator=study.evaluator, kinds=kinds)

    @property
    def possible(self) -> bool:
        return self._study.plan.truth == FULL.name

    def of(self, hypothesis_ids: Sequence[str]) -> Confirmed | None:
        """Those not confirmed before are one family; None where nothing can be confirmed."""
        if not self.possible:
            return None
        first = self._round(hypothesis_ids, FIRST)
        again = self._round([id for id, one in first.items() if one.finding], AGAIN)
        return Confirmed(first=first, again=again, seconds=self._seconds([*first.values(), *again.values()]))

    def _round(self, hypothesis_ids: Sequence[str], which: str) -> dict[str, Confirmation]:
        done = self._closed(which)
        waiting = [id for id in hypothesis_ids if id not in done]
        if waiting:
            occasion = f"{which}/{'/'.join(waiting)}"
            planned = self._confirm.plan(occasion=occasion, hypothesis_ids=waiting, asked_by=which)
            measure = partial(self._confirm.measure, planned.id)
            faults = dict(zip(waiting, self._study.at_once(measure, waiting, f"Confirming ({which})"), strict=True))
            self._confirm.decide(planned.id, {id: why for id, why in faults.items() if why})
            done = self._closed(which)
        return {id: done[id] for id in hypothesis_ids if id in done}

    def _closed(self, which: str) -> dict[str, Confirmation]:
        """`asked_by` says which of the two a round is."""
        rounds: list[Round] = [one for one in self._ledger.rounds() if one.asked_by == which]
        return {c.hypothesis_id: c for one in rounds if one.closing for c in one.closing.confirmations}

    def _seconds(self, confirmations: Sequence[Confirmation]) -> float:
        found = [self._confirm.score(one.round_id, one.hypothesis_id) for one in confirmations]
        return sum(score.seconds for score in found if score is not None)

    def unpaired(self, baselines: Sequence[str]) -> int | None:
        """How many of these A/A tests, promising by chance, would be confirmed: each on new seeds of its own."""
        if not baselines:
            return 0
        if not self.possible:
            return None
        study, suite = self._study, self._study.truth_suite
        best = Yardstick.of(study.baselines(suite, other(suite.seeds))).best()

        def p_of(numbered: tuple[int, str]) -> float:
            number, name = numbered
            start = UNPAIRED_FROM + 2 * number * SEEDS
            mine, theirs = (tuple(range(at, at + SEEDS)) for at in (start, start + SEEDS))
            arm = read_as(study.baseline(name, suite, mine).trials, mine, theirs)
            return mean_difference(arm, study.baseline(best, suite, theirs).trials).p_above(MARGIN)

        ps = study.at_once(p_of, list(enumerate(baselines)), "Confirming (A/A)")
        return sum(p <= next_alpha(()) for p in holm(ps))


def shrinkage(screened: Sequence[Estimate], confirmed: Sequence[Estimate]) -> float | None:
    """Mean confirmed effect over mean screened effect of the same hypotheses."""
    total = sum(one.value for one in screened)
    return sum(one.value for one in confirmed) / total if screened and total else None
