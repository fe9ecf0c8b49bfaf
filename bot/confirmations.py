"""Confirmations as people see them in a request's thread. A method is one idempotent step of jobs.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from bot.slack import Slack
from bot.views import finding
from bot.views.conditions import Conditions
from bot.views.confirmation import Confirmed, Confirming, confirmed, confirming, origin
from bot.views.failed import failed
from bot.views.message import Message
from bot.views.progress import Ending
from engine.confirm import Confirm
from engine.dropin import drop_in, module_name, zipped
from engine.finding import Confirmation, Round
from engine.hypothesis import Hypothesis
from engine.journal import Journal
from engine.ledger import Ledger, uses
from engine.ranking import Place
from engine.request import Request
from engine.research import Research
from engine.suite import FULL, SUITES
from engine.understanding import EvaluateInFull, ExportFinding
from sandbox.guest.components.kinds import KINDS
from storage.inquiries import Inquiry, SqlInquiries

REFRESH_SECONDS = 5.0


class Confirmations:
    def __init__(
        self,
        *,
        confirm: Confirm,
        ledger: Ledger,
        research: Research,
        journal: Journal,
        inquiries: SqlInquiries,
        slack: Slack,
        conditions: Callable[[str, str], Conditions],
        by_itself: int,
    ) -> None:
        """`by_itself`: how many promising hypotheses of a request are confirmed though nobody asked."""
        self._confirm = confirm
        self._ledger = ledger
        self._research = research
        self._journal = journal
        self._inquiries = inquiries
        self._slack = slack
        self._conditions = conditions
        self._by_itself = by_itself

    # --- what is to be confirmed

    def plan_promising(self, request_id: str, occasion: str) -> list[str]:
        """A round for each kind of a request with something promising in it; returns their ids.

        Not of what was measured on a team's own model: what is promising there need not be so on our data sets.
        """
        request = self._journal.request(request_id)
        if self._journal.stopped(request_id) or request.suite not in SUITES:
            return []
        promising = [
            place.hypothesis
            for ranked in self._research.rankings(request_id)
            for place in ranked.places
            if place.promising and not self._tested_before(place.hypothesis.id, f"{occasion}/{ranked.kind}")
        ]
        families: dict[str, list[str]] = {}
        for hypothesis in promising[: max(0, self._by_itself - self._planned_before(request, occasion))]:
            families.setdefault(hypothesis.kind, []).append(hypothesis.id)
        return [self._planned(f"{occasion}/{kind}", ids, None) for kind, ids in families.items()]

    def _planned_before(self, request: Request, occasion: str) -> int:
        """How many hypotheses of a request were sent to confirmation though nobody asked, on other occasions."""
        here = {self._confirm.round_id(f"{occasion}/{kind}") for kind in request.kinds}
        others = [one for one in self._ledger.rounds() if one.request_id == request.id and one.id not in here]
        return sum(len(one.family) for one in others if one.asked_by is None)

    def _tested_before(self, hypothesis_id: str, occasion: str) -> bool:
        """By another round than the one of this occasion, which is planned again after a crash."""
        known = self._confirm.earlier(hypothesis_id)
        return known is not None and known[0].id != self._confirm.round_id(occasion)

    def evaluate(self, hypothesis_id: str, person: str, occasion: str) -> str | None:
        """The round that is to be worked on; None where the answer is known already, and was posted."""
        known = self._confirm.earlier(hypothesis_id)
        if known is not None and known[0].id != self._confirm.round_id(occasion):
            earlier, found = known
            self._answer_again(hypothesis_id, earlier, found, occasion)
            return None
        return self._planned(occasion, [hypothesis_id], person)

    def _planned(self, occasion: str, hypothesis_ids: Sequence[str], person: str | None) -> str:
        planned = self._confirm.plan(occasion=occasion, hypothesis_ids=hypothesis_ids, asked_by=person)
        state = self._state(planned)
        self._slack.post(f"{planned.id}/progress", *self._thread(planned.request_id), confirming(state))
        return planned.id

    def _answer_again(self, hypothesis_id: str, earlier: Round, found: Confirmation | None, occasion: str) -> None:
        thread = self._thread(self._journal.hypothesis(hypothesis_id).request_id)
        if found is None:
            self._slack.post(f"{occasion}/under-way", *thread, confirming(self._state(earlier)))
        else:
            self._slack.post(f"{occasion}/again", *thread, self._told(earlier, [found], again=True))

    def at_work(self, request_ids: Sequence[str]) -> list[str]:
        """The rounds of these requests that are under way."""
        return [
            one.id
            for one in self._ledger.rounds()
            if one.closing is None and one.request_id in request_ids and not self._journal.stopped(one.id)
        ]

    # --- places of a ranking

    def evaluate_place(self, inquiry: Inquiry, request_ids: Sequence[str], meant: EvaluateInFull) -> str | None:
        """As `evaluate`, of what stands in a place of the newest ranking of a thread."""
        hypothesis = self._at_place(inquiry, request_ids, meant)
        return self.evaluate(hypothesis.id, inquiry.person, inquiry.id) if hypothesis else None

    def export_place(self, inquiry: Inquiry, request_ids: Sequence[str], meant: ExportFinding) -> None:
        hypothesis = self._at_place(inquiry, request_ids, meant)
        if hypothesis:
            self.export(hypothesis.id, inquiry.id)

    def _at_place(
        self, inquiry: Inquiry, request_ids: Sequence[str], meant: EvaluateInFull | ExportFinding
    ) -> Hypothesis | None:
        """None where there is no such place, and that was said."""
        found = self.at_place(request_ids[-1], meant) if request_ids else finding.no_such_place(meant.place, 0)
        if isinstance(found, Hypothesis):
            return found
        self._slack.post(f"{inquiry.id}/answer", inquiry.channel, inquiry.thread_ts or inquiry.ts, found)
        return None

    def at_place(self, request_id: str, meant: EvaluateInFull | ExportFinding) -> Hypothesis | Message:
        """The hypothesis in a place, counted from the top, or what to say where there is none."""
        rankings = [ranked for ranked in self._research.rankings(request_id) if ranked.places]
        wanted = [ranked for ranked in rankings if meant.kind in (None, ranked.kind)]
        if len(wanted) > 1:
            verb = "export {}" if isinstance(meant, ExportFinding) else "evaluate {} in full"
            kinds = ", ".join(KINDS[ranked.kind].plural for ranked in wanted)
            return finding.which_kind(kinds, verb.format(f"{wanted[0].kind} {meant.place}"))
        places = wanted[0].places if wanted else ()
        if not 1 <= meant.place <= len(places):
            return finding.no_such_place(meant.place, len(places))
        return places[meant.place - 1].hypothesis

    # --- the work

    def prepare(self, round_id: str) -> list[str]:
        """Train the baselines; returns the family, which is what is left to train."""
        with self._reported(round_id):
            self._confirm.prepare(round_id)
        return list(self._ledger.round(round_id).family)

    def measure(self, round_id: str, hypothesis_id: str) -> str:
        """Why it could not be measured, or nothing."""
        with self._reported(round_id):
            return self._confirm.measure(round_id, hypothesis_id)

    def decide(self, round_id: str, faults: Mapping[str, str]) -> list[str]:
        """Test, and say what came of it; returns the findings."""
        with self._reported(round_id):
            decided = self._confirm.decide(round_id, faults)
        ending = Ending.STOPPED if decided.stopped else Ending.DONE
        detail = "Nobody has looked at a figure, so nothing is decided; it can be asked for again."
        self._show(self._state(decided, ending=ending, detail=detail if decided.stopped else ""))
        found = decided.closing.confirmations if decided.closing else ()
        if found:
            told = self._told(decided, found)
            self._slack.post(f"{round_id}/confirmed", *self._thread(decided.request_id), told)
        return [one.hypothesis_id for one in found if one.finding]

    def _told(self, decided: Round, found: Sequence[Confirmation], *, again: bool = False) -> Message:
        places = self._places(decided.request_id)
        used = uses([one for one in self._ledger.rounds() if one.number <= decided.number])
        return confirmed(
            decided,
            [
                Confirmed(
                    hypothesis=self._journal.hypothesis(one.hypothesis_id),
                    found=one,
                    place=places.get(one.hypothesis_id),
                )
                for one in found
            ],
            KINDS[decided.kind],
            metric=self._conditions(decided.kind, FULL.name).measuring.metric,
            uses={name: used.get(f"{decided.kind}/{name}", 0) for name in decided.data_sets},
            again=again,
        )

    def _places(self, request_id: str) -> dict[str, Place]:
        rankings = self._research.rankings(request_id)
        return {place.hypothesis.id: place for ranked in rankings for place in ranked.places}

    # --- where a gain comes from

    def explain(self, round_id: str, hypothesis_id: str) -> None:
        """Say where the gain of a finding comes from, unless somebody said "stop" meanwhile."""
        told = self._confirm.explain(round_id, hypothesis_id)
        if told is not None:
            thread = self._thread(self._journal.hypothesis(hypothesis_id).request_id)
            hypothesis = self._journal.hypothesis(hypothesis_id)
            self._slack.post(f"{round_id}/origin/{hypothesis_id}", *thread, origin(hypothesis, told))

    # --- exporting

    def export(self, hypothesis_id: str, occasion: str) -> None:
        """Post a finding as a zip file, or say that it is none."""
        hypothesis = self._journal.hypothesis(hypothesis_id)
        thread, kind = self._thread(hypothesis.request_id), KINDS[hypothesis.kind]
        evidence = self._confirm.evidence(hypothesis_id, self._conditions(kind.name, FULL.name).measuring.metric)
        if evidence is None:
            self._slack.post(f"{occasion}/answer", *thread, finding.not_a_finding(hypothesis.title))
            return
        name = f"{module_name(hypothesis.title, kind.name)}-{hypothesis_id}.zip"
        title = f"{hypothesis.title or 'untitled'} as a drop-in"
        self._slack.attach(f"{occasion}/zip", *thread, zipped(drop_in(evidence, kind)), name, title)
        self._slack.post(f"{occasion}/answer", *thread, finding.exported(hypothesis.title, name))

    def fail(self, round_id: str, job_id: str, what: str, advice: str) -> None:
        """A fault of ours: the round stays open, and trying again goes on with it."""
        planned = self._ledger.round(round_id)
        told = failed(request_id=round_id, job_id=job_id, what=what, advice=advice)
        self._slack.post(f"{round_id}/failed/{job_id}", *self._thread(planned.request_id), told)
        self._show(self._state(planned, ending=Ending.FAILED, detail=f"{what} {advice}"))

    # --- progress

    @contextmanager
    def _reported(self, round_id: str) -> Iterator[None]:
        """Keep the progress message fresh while a step works."""
        over = threading.Event()

        def refresh() -> None:
            while not over.wait(REFRESH_SECONDS):
                self._show(self._state(self._ledger.round(round_id)))

        reporter = threading.Thread(target=refresh, name=f"progress {round_id}", daemon=True)
        reporter.start()
        try:
            yield
        finally:
            over.set()
            reporter.join()

    def _show(self, state: Confirming) -> None:
        self._slack.update(f"{state.planned.id}/progress", confirming(state))

    def _state(self, planned: Round, *, ending: Ending | None = None, detail: str = "") -> Confirming:
        candidates = sum(self._confirm.score(planned.id, id) is not None for id in planned.family)
        return Confirming(
            planned=planned,
            titles=[self._journal.hypothesis(id).title or "untitled" for id in planned.family],
            trained=len(self._confirm.baseline_trials(planned.id)) + candidates,
            of=2 * len(KINDS[planned.kind].baselines) + len(planned.family),
            elapsed_seconds=(datetime.now(UTC) - planned.planned_at).total_seconds(),
            ending=ending,
            detail=detail,
        )

    def _thread(self, request_id: str) -> tuple[str, str]:
        """Channel and thread."""
        inquiry = self._inquiries.of_request(request_id)
        return inquiry.channel, inquiry.thread_ts or inquiry.ts
