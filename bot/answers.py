"""What we answer to a message or a click. Each method is one idempotent step of jobs.py."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import assert_never

from bot.attachments import Attachments
from bot.confirmations import Confirmations
from bot.digests import Digests
from bot.investigation import asked
from bot.own_models import OwnModels
from bot.papers import Papers
from bot.questions import Questions
from bot.slack import Slack
from bot.views import refusal
from bot.views.conditions import Conditions
from bot.views.failed import failed
from bot.views.help import help_in_general, help_on_kind
from bot.views.message import Message
from bot.views.stopped import stopping
from bot.views.understood import subject
from bot.views.which_kind import guessed_kind, several_kinds, which_kind
from bot.votes import Votes
from bot.work import Next, Work
from engine.component_plot import reference_drawing
from engine.guess import guessed_kinds
from engine.journal import Journal
from engine.request import Request, Strategy
from engine.research import Research
from engine.suite import SCREENING
from engine.understand import understand
from engine.understanding import (
    CountOutOfRange,
    DigestDaily,
    DigestNow,
    DigestOff,
    Empty,
    EvaluateInFull,
    ExportFinding,
    HaveWeTried,
    Help,
    MeasureRest,
    Propose,
    Stop,
    TryFile,
    Unclear,
    Understanding,
    Unknown,
    UnknownSuite,
    UnsupportedKind,
    WhyRanked,
)
from sandbox.execution import Sandbox
from sandbox.guest.components.kinds import KINDS
from storage.inquiries import UNFINISHED, Inquiry, SqlInquiries, State

REQUEST_PREFIX = "q-"


class Answers:
    def __init__(
        self,
        *,
        journal: Journal,
        inquiries: SqlInquiries,
        research: Research,
        sandbox: Sandbox,
        slack: Slack,
        digests: Digests,
        attachments: Attachments,
        own_models: OwnModels,
        confirmations: Confirmations,
        votes: Votes,
        questions: Questions,
        papers: Papers,
        conditions: Callable[[str, str], Conditions],
    ) -> None:
        self._journal = journal
        self._inquiries = inquiries
        self._research = research
        self._sandbox = sandbox
        self._slack = slack
        self._digests = digests
        self._attachments = attachments
        self._own_models = own_models
        self._confirmations = confirmations
        self._conditions = conditions
        self._votes = votes
        self._questions = questions
        self._papers = papers

    def answer(self, inquiry_id: str) -> Next:
        """Answer at once what can be, and say what else is to be done."""
        inquiry = self._inquiries.get(inquiry_id)
        papers, modules = self._attachments.keep(inquiry)
        own = self._own_models.names()
        meant = understand(inquiry.text, KINDS, attached=bool(modules), chance=inquiry.id, suites=own)
        if self._papers.take(inquiry, papers, meant) and not modules:
            return self._answered(inquiry)
        steered, then = (False, None) if modules else self._papers.steer(inquiry, self._thread(inquiry), meant)
        if steered:
            self._answered(inquiry)
            return then
        asks = isinstance(meant, TryFile | HaveWeTried)
        modules = modules or self._attachments.pasted(inquiry.text, any_code=asks)
        if isinstance(meant, HaveWeTried):
            self._reply(inquiry, "answer", self._questions.have_we_tried(meant, modules, inquiry.id))
            return self._answered(inquiry)
        if modules:
            return self._try(inquiry, self._kind_of(inquiry, meant, modules), modules)
        return self._answer(inquiry, meant)

    def _answer(self, inquiry: Inquiry, meant: Understanding) -> Next:
        match meant:
            case Propose():
                return self._propose(inquiry, meant)
            case MeasureRest():
                return self._measure_rest(inquiry)
            case EvaluateInFull():
                return self._evaluate_in_full(inquiry, meant)
            case ExportFinding():
                self._confirmations.export_place(inquiry, self._requests(inquiry), meant)
            case Stop():
                self._stop_thread(inquiry)
            case WhyRanked():
                self._reply(inquiry, "answer", self._questions.why(meant, self._requests(inquiry)))
            case DigestNow():
                self._digests.post(inquiry.channel, f"{inquiry.id}/digest", thread(inquiry))
            case DigestDaily():
                self._reply(inquiry, "answer", self._digests.subscribe(inquiry.channel, meant.hour, meant.minute))
            case DigestOff():
                self._reply(inquiry, "answer", self._digests.unsubscribe(inquiry.channel))
            case HaveWeTried():  # answered before: code may have come with it
                pass
            case UnknownSuite():
                self._reply(inquiry, "answer", self._own_models.unknown(meant))
            case _:
                self._reply(inquiry, "answer", in_words(meant, self._conditions))
        return self._answered(inquiry)

    def _answered(self, inquiry: Inquiry) -> Next:
        """Nothing else is to be done."""
        self._inquiries.update(inquiry.id, state=State.ANSWERED)
        return None

    def _reply(self, inquiry: Inquiry, key: str, message: Message) -> None:
        self._slack.post(f"{inquiry.id}/{key}", inquiry.channel, thread(inquiry), message)

    # --- work

    def _propose(self, inquiry: Inquiry, meant: Propose) -> Next:
        own = self._own_models.named(meant.suite)
        request = Request(
            id=request_id(inquiry.id),
            text=inquiry.text,
            kinds=meant.kinds,
            count=meant.count,
            counts=meant.counts,
            strategies=meant.strategies,
            purpose=meant.purpose,
            asked_by=inquiry.person,
            created_at=inquiry.received_at,
            suite=own.suite.key if own else meant.suite or SCREENING,
        )
        self._journal.record_request(request)
        self._inquiries.update(inquiry.id, state=State.WORKING, request_id=request.id)
        if own and not self._own_models.admits(request, own, meant.note or ""):
            return self._answered(inquiry)
        for other in self._at_work(inquiry):
            words = subject(asked(self._journal.request(other)))
            self._reply(inquiry, f"busy/{other}", refusal.busy(words, other, queued=False))
        return Work.RESEARCH, [request.id, [meant.note] if meant.note else []]

    def try_as(self, inquiry_id: str, kind: str) -> Next:
        """Try what came with a message as the kind that a person chose."""
        inquiry = self._inquiries.get(inquiry_id)
        _, modules = self._attachments.keep(inquiry)
        return self._try(inquiry, kind, modules or self._attachments.pasted(inquiry.text, any_code=True))

    def _kind_of(self, inquiry: Inquiry, meant: Understanding, modules: Sequence[tuple[str, bytes]]) -> str | None:
        """As it was said, else as the modules look; None when that cannot be told, and then it is asked."""
        if isinstance(meant, TryFile) and meant.kind:
            return meant.kind
        if isinstance(meant, Propose) and meant.kind_named:
            return meant.kinds[0]
        names = [name for name, _ in modules]
        guesses = [guessed_kinds(source, name, KINDS) for name, source in modules]
        likely = [KINDS[kind] for kind in dict.fromkeys(kind for guess in guesses for kind in guess)]
        if len(likely) == 1:
            other = next((kind for kind in KINDS.values() if kind is not likely[0]), None)
            self._reply(inquiry, "guessed", guessed_kind(names, likely[0], other))
            return likely[0].name
        if all(len(guess) == 1 for guess in guesses):
            found = [(name, KINDS[guess[0]]) for name, guess in zip(names, guesses, strict=True)]
            self._reply(inquiry, "answer", several_kinds(found))
        else:
            self._reply(inquiry, "answer", which_kind(names, likely, inquiry.id))
        return None

    def _try(self, inquiry: Inquiry, kind: str | None, modules: Sequence[tuple[str, bytes]]) -> Next:
        if kind is None:
            return self._answered(inquiry)
        request = Request(
            id=request_id(inquiry.id),
            text=inquiry.text,
            kinds=(kind,),
            count=len(modules),
            counts=(len(modules),),
            strategies=(Strategy.BY_HAND,),
            purpose="",
            asked_by=inquiry.person,
            created_at=inquiry.received_at,
        )
        self._research.take(request, modules)
        self._inquiries.update(inquiry.id, state=State.WORKING, request_id=request.id)
        return Work.RESEARCH, [request.id, []]

    def _measure_rest(self, inquiry: Inquiry) -> Next:
        """Of the newest request of the thread, all kinds."""
        requests = self._requests(inquiry)
        if not requests:
            self._reply(inquiry, "answer", refusal.nothing_to_measure())
            return self._answered(inquiry)
        self._answered(inquiry)
        return Work.REST, [requests[-1], list(self._journal.request(requests[-1]).kinds)]

    def _requests(self, inquiry: Inquiry) -> list[str]:
        """Of the thread, newest last."""
        return [other.request_id for other in self._thread(inquiry) if other.request_id]

    def _evaluate_in_full(self, inquiry: Inquiry, meant: EvaluateInFull) -> Next:
        round_id = self._confirmations.evaluate_place(inquiry, self._requests(inquiry), meant)
        self._answered(inquiry)
        return (Work.CONFIRM, [round_id]) if round_id else None

    def evaluate(self, hypothesis_id: str, person: str, click: str) -> Next:
        """A person clicked "Evaluate in full" on its card."""
        round_id = self._confirmations.evaluate(hypothesis_id, person, click)
        return (Work.CONFIRM, [round_id]) if round_id else None

    def approve(self, request_id: str, key: str, person: str) -> Next:
        """A person agreed to the cost of a team's model: the request that asked goes on."""
        if not self._own_models.approve(request_id, key, person):
            return None
        self._inquiries.update(self._inquiries.of_request(request_id).id, state=State.WORKING)
        return Work.RESEARCH, [request_id, []]

    def decline(self, request_id: str, key: str, person: str) -> None:
        self._own_models.decline(request_id, key, person)

    # --- stop

    def stop(self, wanted: str, person: str, occasion: str) -> None:
        """End a request, a reading or an experiment: nothing new is started, and what runs is killed. The workflow of
        a request or a reading says what was finished. occasion: of the click or the message, so that it counts once.
        """
        if self._papers.stop(wanted, person, occasion):
            return
        self._journal.stop(wanted)
        self._sandbox.kill(wanted)

    def _stop_thread(self, inquiry: Inquiry) -> None:
        thread = self._thread(inquiry)
        confirming = self._confirmations.at_work(self._requests(inquiry))
        at_work = [*self._at_work(inquiry), *confirming, *self._papers.at_work(thread)]
        for wanted in at_work:
            self.stop(wanted, inquiry.person, inquiry.id)
            self._reply(inquiry, f"stopping/{wanted}", stopping(request_id=wanted))
        if not at_work:
            self._reply(inquiry, "answer", refusal.nothing_to_stop())

    def _thread(self, inquiry: Inquiry) -> list[Inquiry]:
        """Other messages of the thread that we answer."""
        return [
            other for other in self._inquiries.in_thread(inquiry.channel, thread(inquiry)) if other.id != inquiry.id
        ]

    def _at_work(self, inquiry: Inquiry) -> list[str]:
        return [
            other.request_id
            for other in self._thread(inquiry)
            if other.request_id and other.state in UNFINISHED and not self._journal.stopped(other.request_id)
        ]

    # --- votes and learning

    def vote(
        self, at: str, person: str, channel: str, ts: str, thread_ts: str | None, hypothesis_id: str, thumbs_up: bool
    ) -> str | None:
        """See votes.py; returns the kind that there is to learn about."""
        return self._votes.vote(at, person, channel, ts, thread_ts, hypothesis_id, thumbs_up)

    def learn(self, kind: str) -> None:
        self._research.learn(kind)

    def kinds_of(self, wanted: str) -> list[str]:
        return list(self._journal.request(wanted).kinds)

    # --- digests

    def digest(self, channel: str, key: str) -> None:
        self._digests.post(channel, f"digest/{key}", None)

    def digest_off(self, channel: str, key: str) -> None:
        self._slack.post(f"digest-off/{key}", channel, None, self._digests.unsubscribe(channel))

    # --- faults

    def fail(self, inquiry_id: str, job_id: str, what: str, advice: str) -> None:
        """A message could not be answered through a fault of ours: say so in its thread."""
        inquiry = self._inquiries.get(inquiry_id)
        told = failed(request_id=inquiry.request_id or inquiry.id, job_id=job_id, what=what, advice=advice)
        self._reply(inquiry, f"failed/{job_id}", told)
        self._inquiries.update(inquiry.id, state=State.FAILED, note=what)


def in_words(
    meant: Help | UnsupportedKind | CountOutOfRange | Unclear | Empty | Unknown | TryFile,
    conditions: Callable[[str, str], Conditions],
) -> Message:
    """The answers that need nothing but words. `conditions`: of a kind on a suite, by their names."""
    kinds = list(KINDS.values())
    match meant:
        case Help():
            about = KINDS.get(meant.topic or "")
            if about is None:
                return help_in_general(kinds, unknown=meant.unknown)
            measured = conditions(about.name, SCREENING).measuring
            return help_on_kind(about, measured=measured, drawing=reference_drawing(about))
        case UnsupportedKind():
            return refusal.unsupported_kind(meant.word, kinds)
        case CountOutOfRange():
            return refusal.count_out_of_range(meant.count)
        case Unclear():
            return refusal.unclear(meant.reason, meant.example)
        case TryFile():
            return refusal.nothing_attached()
        case Empty():
            return refusal.empty_message(kinds)
        case Unknown():
            return refusal.unknown_request(meant.text, kinds, suggestion=meant.suggestion)
        case _:
            assert_never(meant)


def request_id(inquiry_id: str) -> str:
    """Made of the message that asked, so that answering it again makes no second request."""
    return REQUEST_PREFIX + hashlib.sha256(inquiry_id.encode()).hexdigest()[:8]


def thread(inquiry: Inquiry) -> str:
    return inquiry.thread_ts or inquiry.ts
