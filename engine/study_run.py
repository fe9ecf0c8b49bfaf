"""A study from the first hypothesis to its results: the order of the steps, each of which resumes by itself."""

from __future__ import annotations

from collections.abc import Sequence

from engine.ledger import Ledger
from engine.rank import rank
from engine.ranking import Ranking
from engine.score import BaselineTrials
from engine.study import Study, Subject
from engine.study_confirm import Confirmations
from engine.study_results import Results, promising, results_of
from engine.study_trust import trust


def run(study: Study, ledger: Ledger, placebos: int) -> Results:
    """Measure what is missing, and compute everything from what there is. Raises what `Study` raises."""
    subjects = study.subjects()
    tested = [s for s in subjects if study.plan.tests(s)]
    baselines = study.baselines(study.screening, study.screening.seeds)
    confirmations = Confirmations(study, ledger)
    confirmed = confirmations.of([s.id for s in promising(subjects) if study.plan.tests(s)])
    known = trust(study, subjects, placebos, confirmations)
    study.watch("Learning and ordering", 0, 1)
    found = results_of(study.plan, subjects, baselines, known, confirmed, ranking_of(study, tested, baselines))
    study.watch("Learning and ordering", 1, 1)
    return found


def ranking_of(study: Study, subjects: Sequence[Subject], baselines: Sequence[BaselineTrials]) -> Ranking | None:
    """Of the screening, as a request's would be; None when nothing was screened."""
    scored = [s.screened for s in subjects if s.screened is not None]
    if not scored:
        return None
    return rank(
        request_id="study",
        kind=study.kind,
        hypotheses=[s.hypothesis for s in subjects],
        verdicts={s.id: s.verdict for s in subjects},
        scores=scored,
        baselines=baselines,
        reruns=[],
        generator_faults=(),
        stopped=False,
    )
