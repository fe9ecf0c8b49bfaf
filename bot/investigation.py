"""A request as people see it in its thread: understood, progress, results. A method is one idempotent step of jobs.py.

What is posted has a key in the ledger (see slack.py), so a step that runs again after a crash posts nothing twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random

from bot.pictures import pictures_of
from bot.slack import Slack
from bot.trial import tried
from bot.views.conditions import Conditions
from bot.views.failed import failed
from bot.views.hypothesis_card import code_is_cut, hypothesis_card, module_name
from bot.views.invitation import MOST, invitation
from bot.views.plots import plots
from bot.views.progress import Ending, Progress, Stage, Step, progress
from bot.views.ranking import Choosing, needs_csv, rank_labels, ranking
from bot.views.ranking_csv import ranking_csv
from bot.views.ranking_json import as_json
from bot.views.stopped import finished_so_far, stopped
from bot.views.try_results import try_results
from bot.views.understood import subject, understood
from engine.journal import Journal
from engine.learn import MINIMUM_OUTCOMES
from engine.novelty import spacing
from engine.propose import OVERSUPPLY
from engine.ranking import Place, Ranking
from engine.request import Request
from engine.research import Research, by_hand
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS
from storage.inquiries import SqlInquiries, State

REFRESH_SECONDS = 3.0  # Slack allows 50 updates a minute for a whole workspace; two requests may run at once
CARDS = 5  # top hypotheses that get a message of their own
GUESS_SECONDS = {Stage.GENERATE: 0.5, Stage.VALIDATE: 0.2, Stage.EVALUATE: 0.5}  # a hypothesis, before any was timed
RANK_GUESS_SECONDS = 8.0  # re-run, plots and posting


class Investigation:
    def __init__(
        self,
        *,
        research: Research,
        journal: Journal,
        inquiries: SqlInquiries,
        slack: Slack,
        conditions: Callable[[str, str], Conditions],  # of a kind on a suite, by their names
        generators: Sequence[str],
    ) -> None:
        self._research = research
        self._journal = journal
        self._inquiries = inquiries
        self._slack = slack
        self._conditions = conditions
        self._generators = generators
        self._pace = dict(GUESS_SECONDS)
        self._at: dict[str, Stage] = {}  # where each unfinished request is, for saying where it failed

    def open(self, request_id: str, notes: Sequence[str]) -> None:
        """Say what was understood, and start the one message that is kept up to date."""
        request = self._journal.request(request_id)
        if not by_hand(request):
            message = understood(
                request,
                asked(request),
                generators=self._generators,
                proposals=OVERSUPPLY * request.count,
                conditions=[self._conditions(kind, request.suite) for kind in request.kinds],
                notes=notes,
            )
            self._slack.post(f"{request_id}/understood", *self._place(request_id), message)
        state = self._state(request, Stage.GENERATE)
        self._slack.post(f"{request_id}/progress", *self._place(request_id), progress(state))

    def _place(self, request_id: str) -> tuple[str, str]:
        """Channel and thread."""
        inquiry = self._inquiries.of_request(request_id)
        return inquiry.channel, inquiry.thread_ts or inquiry.ts

    def generate(self, request_id: str) -> list[str]:
        with self._reported(request_id, Stage.GENERATE):
            if not by_hand(self._journal.request(request_id)):
                self._research.generate(request_id)
        return self._research.unvalidated(request_id)

    def validate(self, request_id: str, hypothesis_ids: Sequence[str]) -> None:
        with self._reported(request_id, Stage.VALIDATE, len(hypothesis_ids)):
            self._research.validate(request_id, hypothesis_ids)

    def choose(self, request_id: str) -> list[str]:
        """Train missing baselines, choose what to measure; returns what is left to measure."""
        with self._reported(request_id, Stage.EVALUATE):
            if not self._journal.stopped(request_id):
                self._research.prepare(request_id)
            self._research.choose(request_id)
        return self._research.unmeasured(request_id)

    def invite(self, request_id: str) -> None:
        """Ask people to predict the winner, before anything is measured."""
        request, choices = self._journal.request(request_id), self._journal.choices(request_id)
        chosen = [h for h in self._journal.hypotheses(request_id) if h.id in choices and choices[h.id].measured]
        if by_hand(request) or len(chosen) < 2 or self._journal.stopped(request_id):
            return
        shown = Random(request_id).sample(chosen, min(len(chosen), MOST))
        message = invitation(shown, len(chosen), request_id=request_id)
        self._slack.post(f"{request_id}/predict", *self._place(request_id), message, detail={"figures_shown": False})

    def choose_the_rest(self, request_id: str, kinds: Sequence[str]) -> list[str]:
        for kind in kinds:
            self._research.choose_the_rest(request_id, kind)
        return self._research.unmeasured(request_id)

    def measure(self, request_id: str, hypothesis_ids: Sequence[str]) -> None:
        with self._reported(request_id, Stage.EVALUATE, len(hypothesis_ids)):
            self._research.measure(request_id, hypothesis_ids)

    def rerun(self, request_id: str) -> None:
        with self._reported(request_id, Stage.RANK):
            if not self._journal.stopped(request_id) and not by_hand(self._journal.request(request_id)):
                self._research.rerun(request_id)

    def publish(self, request_id: str, round_number: int) -> None:
        """Post rankings, plots and cards. A later round, after the rest was measured, posts only cards that are new."""
        with self._reported(request_id, Stage.RANK):
            rankings = self._research.rankings(request_id)
            if self._journal.stopped(request_id):
                self._say_stopped(request_id, rankings)
            for ranked in rankings:
                prefix = f"{request_id}/{round_number}/{ranked.kind}"
                if by_hand(self._journal.request(request_id)):
                    self._publish_trial(ranked, prefix)
                elif ranked.places or not ranked.stopped:
                    self._publish_ranking(ranked, prefix)
        self._finish(request_id)

    def _publish_trial(self, ranked: Ranking, prefix: str) -> None:
        message = try_results(
            tried(ranked, self._journal.hypotheses(ranked.request_id), self._journal.verdicts(ranked.request_id)),
            KINDS[ranked.kind],
            conditions=self._conditions_of(ranked),
            baselines=len(ranked.references),
            request_id=ranked.request_id,
        )
        self._slack.post(f"{prefix}/tried", *self._place(ranked.request_id), message, detail=as_json(ranked))

    def _conditions_of(self, ranked: Ranking) -> Conditions:
        return self._conditions(ranked.kind, self._journal.request(ranked.request_id).suite)

    def _publish_ranking(self, ranked: Ranking, prefix: str) -> None:
        place, kind = self._place(ranked.request_id), KINDS[ranked.kind]
        message = ranking(
            ranked,
            kind,
            conditions=self._conditions_of(ranked),
            choosing=self._choosing(ranked),
            spacing=spacing(kind),
        )
        self._slack.post(f"{prefix}/ranking", *place, message, detail=as_json(ranked))
        if needs_csv(ranked):
            name = f"{ranked.request_id}-{ranked.kind}.csv"
            self._slack.attach(f"{prefix}/csv", *place, ranking_csv(ranked), name, "Everything behind the ranking")
        pictures = pictures_of(
            ranked,
            kind,
            self._research.references_in(ranked.request_id, ranked.kind),
            lambda name, png, title: self._slack.upload(f"{prefix}/{name}", png, name, title),
        )
        if pictures:
            self._slack.post(f"{prefix}/plots", *place, plots(pictures, request_id=ranked.request_id))
        labels = rank_labels(ranked.places)
        for shown, label in list(zip(ranked.places, labels, strict=True))[:CARDS]:
            self._publish_card(shown, label, kind)

    def _publish_card(self, shown: Place, label: str, kind: Kind) -> None:
        hypothesis, place = shown.hypothesis, self._place(shown.hypothesis.request_id)
        key = f"{hypothesis.request_id}/card/{hypothesis.id}"
        suite = self._journal.request(hypothesis.request_id).suite
        own_model = self._conditions(hypothesis.kind, suite).measuring.own_model
        card = hypothesis_card(shown, kind, rank=label, own_model=own_model)
        self._slack.post(key, *place, card, detail=seen_in(shown, label))
        if code_is_cut(shown):
            self._slack.attach(f"{key}/code", *place, hypothesis.source, module_name(shown), hypothesis.title)

    def _choosing(self, ranked: Ranking) -> Choosing:
        choices = self._journal.choices(ranked.request_id).values()
        measured = {place.hypothesis.id for place in ranked.places}
        return Choosing(
            model_version=next((c.model_version for c in choices if c.model_version), None),
            outcomes=max(0, self._research.outcomes(ranked.kind) - len(measured)),  # known when it was chosen
            needed=MINIMUM_OUTCOMES,
            at_random=sum(c.why == "at random" for c in choices if c.hypothesis_id in measured),
        )

    def _say_stopped(self, request_id: str, rankings: Sequence[Ranking]) -> None:
        message = stopped(
            request_id=request_id,
            subject=subject(asked(self._journal.request(request_id))),
            finished=self._finished_so_far(request_id),
            ranking_follows=any(ranked.places for ranked in rankings),
        )
        self._slack.post(f"{request_id}/stopped", *self._place(request_id), message)

    def _finished_so_far(self, request_id: str) -> str:
        tally = self._research.tally(request_id)
        return finished_so_far(
            proposed=tally.generated,
            validated=tally.validated,
            measured=tally.measured,
            to_measure=tally.to_measure,
        )

    def _finish(self, request_id: str) -> None:
        ended = self._journal.stopped(request_id)
        self._at.pop(request_id, None)
        ending, detail = (Ending.STOPPED, self._finished_so_far(request_id)) if ended else (Ending.DONE, "")
        self._show(self._state(self._journal.request(request_id), Stage.RANK, ending=ending, detail=detail))
        state = State.STOPPED if ended else State.ANSWERED
        self._inquiries.update(self._inquiries.of_request(request_id).id, state=state)

    def fail(self, request_id: str, job_id: str, what: str, advice: str) -> None:
        """A fault of ours: said in the thread, with a way to try again. What was finished stays."""
        told = failed(request_id=request_id, job_id=job_id, what=what, advice=advice)
        self._slack.post(f"{request_id}/failed/{job_id}", *self._place(request_id), told)
        request = self._journal.request(request_id)
        at = self._at.pop(request_id, Stage.GENERATE)
        self._show(self._state(request, at, ending=Ending.FAILED, detail=f"{what} {advice}"))
        self._inquiries.update(self._inquiries.of_request(request_id).id, state=State.FAILED, note=what)

    # --- progress

    @contextmanager
    def _reported(self, request_id: str, stage: Stage, hypotheses: int = 0) -> Iterator[None]:
        """Keep the progress message fresh while a step works, and learn how long a hypothesis takes in this stage."""
        over = threading.Event()
        self._at[request_id] = stage

        def refresh() -> None:
            while not over.wait(REFRESH_SECONDS):
                self._show(self._state(self._journal.request(request_id), stage))

        reporter = threading.Thread(target=refresh, name=f"progress {request_id}", daemon=True)
        reporter.start()
        started = time.monotonic()
        try:
            yield
        finally:
            over.set()
            reporter.join()
        if hypotheses:
            self._pace[stage] = (time.monotonic() - started) / hypotheses

    def _show(self, state: Progress) -> None:
        self._slack.update(f"{state.request_id}/progress", progress(state))

    def _state(self, request: Request, stage: Stage, *, ending: Ending | None = None, detail: str = "") -> Progress:
        tally = self._research.tally(request.id)
        to_validate = (
            tally.generated - tally.validated if stage is not Stage.GENERATE else tally.wanted - tally.validated
        )
        to_measure = (tally.to_measure or request.count) - tally.measured
        left = max(0, to_validate) * self._pace[Stage.VALIDATE] + max(0, to_measure) * self._pace[Stage.EVALUATE]
        training = stage is Stage.EVALUATE and not tally.to_measure
        return Progress(
            request_id=request.id,
            subject=subject(asked(request)),
            stage=stage,
            steps={
                Stage.GENERATE: Step(done=tally.generated, total=tally.wanted if stage is Stage.GENERATE else None),
                Stage.VALIDATE: Step(done=tally.validated, total=tally.generated, note=rejected_words(tally.rejected)),
                Stage.EVALUATE: Step(
                    done=tally.measured,
                    total=tally.to_measure or None,
                    note="training the baselines that they are compared with" if training else "",
                ),
            },
            elapsed_seconds=(datetime.now(UTC) - request.created_at).total_seconds(),
            left_seconds=left + RANK_GUESS_SECONDS if stage is not Stage.RANK else None,
            ending=ending,
            detail=detail,
        )


def asked(request: Request) -> list[tuple[int, Kind]]:
    return [(count, KINDS[kind]) for kind, count in zip(request.kinds, request.counts, strict=True)]


def seen_in(shown: Place, label: str) -> dict[str, object]:
    """What a person who votes on this card could see."""
    return {
        "hypothesis_id": shown.hypothesis.id,
        "rank": label,
        "effect": shown.effect.value,
        "b_wr": shown.score.b_wr.value,
        "bsota_wr": shown.score.bsota_wr.value,
        "figures_shown": True,
    }


def rejected_words(number: int) -> str:
    return f"{number} rejected or known" if number else ""
