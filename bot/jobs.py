"""The durable workflows. The only file that imports dbos; it has no order or memory of its own.

A step is one idempotent batch; a workflow that was cut off by a crash goes on behind its last finished step. Every
workflow has an id made of what it is about, so that enqueueing it again changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from dbos import DBOS, SetWorkflowID

from bot.answers import REQUEST_PREFIX, Answers
from bot.confirmations import Confirmations
from bot.experiments import EXPERIMENT_PREFIX, MORE, REPORT
from bot.faults import explain
from bot.investigation import Investigation
from bot.papers import Papers
from bot.readings import READING_PREFIX
from bot.work import Next, Work
from engine.confirm import PREFIX as ROUND_PREFIX
from engine.research import BATCH, MEASURED_AT_ONCE
from engine.rotation import Rotation
from sandbox.errors import SandboxError
from storage.inquiries import Inquiry, SqlInquiries, State

APPLICATION_VERSION = (
    "4"  # raise it when the order of steps changes: pending workflows of another version are not resumed
)
ANSWERS, RESEARCH, LEARNING, CONFIRMING = "answers", "research", "learning", "confirming"
PAPERS, EXPERIMENTS = "papers", "experiments"
AT_ONCE = {ANSWERS: 8, RESEARCH: 2, LEARNING: 1, CONFIRMING: 1, PAPERS: 2, EXPERIMENTS: 1}  # of a queue in one process
QUEUES = {Work.CONFIRM: CONFIRMING, Work.EXPERIMENT: EXPERIMENTS}  # else RESEARCH
POLLING_SECONDS = 0.2
ATTEMPTS = 3  # of a step that failed through a fault of the sandbox

log = structlog.get_logger(__name__)


class Jobs:
    def __init__(
        self,
        *,
        answers: Answers,
        investigation: Investigation,
        confirmations: Confirmations,
        papers: Papers,
        inquiries: SqlInquiries,
        rotation: Rotation,
        url: str,
        executor_id: str,
    ) -> None:
        self._answers = answers
        self._investigation = investigation
        self._confirmations = confirmations
        self._papers = papers
        self._inquiries = inquiries
        self._rotation = rotation
        self._closing = threading.Event()
        DBOS(
            config={
                "name": "conjecture",
                "system_database_url": url,
                "executor_id": executor_id,
                "application_version": APPLICATION_VERSION,
                "log_level": "CRITICAL",
            }
        )
        bodies = (
            *(self.answer, self.try_as, self.approve, self.decline, self.research, self.rest, self.stop),
            *(self.vote, self.learn, self.digest, self.digest_off, self.rotate),
            *(self.evaluate, self.export, self.confirm_promising, self.confirm),
            *(self.read, self.experiment, self.vote_on_idea, self.edit_plan, self.approve_idea, self.take_over),
        )
        self._workflows = {body.__name__: DBOS.workflow(name=body.__name__)(self._guarded(body)) for body in bodies}

    def start(self) -> None:
        """Go on with what an earlier run left unfinished."""
        DBOS.launch()
        for queue, at_once in AT_ONCE.items():
            DBOS.register_queue(
                queue, worker_concurrency=at_once, polling_interval_sec=POLLING_SECONDS, on_conflict="always_update"
            )
        for inquiry in self._inquiries.unfinished():
            if inquiry.state is State.RECEIVED:  # recorded, and the process died before it was enqueued
                self._enqueue(ANSWERS, "answer", inquiry.id, inquiry.id)

    def close(self) -> None:
        """Stop taking work. What is unfinished goes on at the next start."""
        self._closing.set()
        DBOS.destroy(destroy_registry=True)

    # --- what happens outside becomes a job

    def receive(self, inquiry: Inquiry) -> None:
        """Record a message and answer it. Safe to call for every delivery of it."""
        self._inquiries.receive(inquiry)
        self._enqueue(ANSWERS, "answer", inquiry.id, inquiry.id)

    def receive_vote(
        self,
        clicked_at: str,
        person: str,
        channel: str,
        ts: str,
        thread_ts: str | None,
        hypothesis_id: str,
        thumbs_up: bool,
    ) -> None:
        click = f"{person}-{hypothesis_id}-{clicked_at}"
        self._enqueue(ANSWERS, "vote", click, clicked_at, person, channel, ts, thread_ts, hypothesis_id, thumbs_up)

    def receive_rest(self, request_id: str, kinds: Sequence[str]) -> None:
        self._enqueue(RESEARCH, "rest", "-".join((request_id, *kinds)), request_id, list(kinds))

    def receive_stop(self, clicked_at: str, wanted: str, person: str) -> None:
        """`wanted`: the id of a request, a round of confirmation, a reading or an experiment."""
        self._enqueue(ANSWERS, "stop", f"{wanted}-{clicked_at}", wanted, person, clicked_at)

    def receive_idea_vote(
        self, clicked_at: str, person: str, channel: str, thread_ts: str | None, idea_id: str, thumbs_up: bool
    ) -> None:
        click = f"{person}-{idea_id}-{clicked_at}"
        self._enqueue(ANSWERS, "vote_on_idea", click, clicked_at, person, channel, thread_ts, idea_id, thumbs_up)

    def receive_plan_edit(self, form_id: str, idea_id: str, told: Mapping[str, Any], person: str) -> None:
        """`form_id`: of the view, which can be submitted once."""
        self._enqueue(ANSWERS, "edit_plan", form_id, idea_id, dict(told), person, form_id)

    def receive_idea_approval(self, clicked_at: str, idea_id: str, person: str, as_component: bool) -> None:
        self._enqueue(ANSWERS, "approve_idea", f"{idea_id}-{clicked_at}", idea_id, person, clicked_at, as_component)

    def receive_take_over(self, clicked_at: str, experiment_id: str) -> None:
        self._enqueue(ANSWERS, "take_over", f"{experiment_id}-{clicked_at}", experiment_id, clicked_at)

    def receive_retry(self, clicked_at: str, failed: str) -> None:
        """`failed` is the id of a request, of a round of confirmation, or of an inquiry that came to no request."""
        if failed.startswith(ROUND_PREFIX):
            self._enqueue(CONFIRMING, "confirm", f"{failed}-again-{clicked_at}", failed)
        elif failed.startswith(REQUEST_PREFIX):
            self._enqueue(RESEARCH, "research", f"{failed}-again-{clicked_at}", failed, [])
        elif failed.startswith(READING_PREFIX):
            self._enqueue(PAPERS, "read", f"{failed}-again-{clicked_at}", failed)
        elif failed.startswith(EXPERIMENT_PREFIX):
            self._enqueue(EXPERIMENTS, "experiment", f"{failed}-again-{clicked_at}", failed)
        else:
            self._enqueue(ANSWERS, "answer", f"{failed}-again-{clicked_at}", failed)

    def receive_try_as(self, inquiry_id: str, kind: str) -> None:
        self._enqueue(ANSWERS, "try_as", inquiry_id, inquiry_id, kind)

    def receive_approval(self, clicked_at: str, request_id: str, key: str, person: str) -> None:
        """`key`: a team's model and its version, whose cost was agreed to."""
        self._enqueue(ANSWERS, "approve", f"{request_id}-{clicked_at}", request_id, key, person)

    def receive_not_now(self, clicked_at: str, request_id: str, key: str, person: str) -> None:
        self._enqueue(ANSWERS, "decline", f"{request_id}-{clicked_at}", request_id, key, person)

    def receive_evaluate(self, clicked_at: str, hypothesis_id: str, person: str) -> None:
        self._enqueue(ANSWERS, "evaluate", f"{hypothesis_id}-{clicked_at}", hypothesis_id, person, clicked_at)

    def receive_export(self, clicked_at: str, hypothesis_id: str) -> None:
        self._enqueue(ANSWERS, "export", f"{hypothesis_id}-{clicked_at}", hypothesis_id, clicked_at)

    def receive_digest(self, key: str, channel: str) -> None:
        """`key` names the occasion, channel and local date: one digest each."""
        self._enqueue(ANSWERS, "digest", key, channel, key)

    def receive_night(self, date: str) -> None:
        self._enqueue(LEARNING, "rotate", date, date)

    def receive_digest_off(self, clicked_at: str, channel: str) -> None:
        self._enqueue(ANSWERS, "digest_off", f"{channel}-{clicked_at}", channel, clicked_at)

    def _enqueue(self, queue: str, workflow: str, key: str, *arguments: Any) -> None:
        with SetWorkflowID(f"{workflow}-{key}"):
            DBOS.enqueue_workflow(queue, self._workflows[workflow], *arguments)

    # --- workflows

    def answer(self, inquiry_id: str) -> None:
        self._go_on(inquiry_id, _step(self._answers.answer, inquiry_id))
        for reading_id in _step(self._papers.readings.unread, inquiry_id):
            self._enqueue(PAPERS, "read", reading_id, reading_id)

    def try_as(self, inquiry_id: str, kind: str) -> None:
        self._go_on(inquiry_id, _step(self._answers.try_as, inquiry_id, kind))

    def approve(self, request_id: str, key: str, person: str) -> None:
        self._go_on(request_id, _step(self._answers.approve, request_id, key, person))

    def decline(self, request_id: str, key: str, person: str) -> None:
        _step(self._answers.decline, request_id, key, person)

    def _go_on(self, inquiry_id: str, then: Next) -> None:
        if then:
            work, (about, *rest) = then
            self._enqueue(QUEUES.get(Work(work), RESEARCH), work, f"{about}-{inquiry_id}", about, *rest)

    def research(self, request_id: str, notes: Sequence[str]) -> None:
        investigation = self._investigation
        _step(investigation.open, request_id, notes)
        for batch in _batches(_step(investigation.generate, request_id), BATCH):
            _step(investigation.validate, request_id, batch)
        chosen = _step(investigation.choose, request_id)
        _step(investigation.invite, request_id)
        for batch in _batches(chosen, MEASURED_AT_ONCE):
            _step(investigation.measure, request_id, batch)
        _step(investigation.rerun, request_id)
        _step(investigation.publish, request_id, 0)
        self._enqueue(LEARNING, "learn", request_id, _step(self._answers.kinds_of, request_id))
        self._enqueue(ANSWERS, "confirm_promising", request_id, request_id)

    def rest(self, request_id: str, kinds: Sequence[str]) -> None:
        investigation = self._investigation
        for batch in _batches(_step(investigation.choose_the_rest, request_id, kinds), MEASURED_AT_ONCE):
            _step(investigation.measure, request_id, batch)
        _step(investigation.publish, request_id, 1)
        self._enqueue(LEARNING, "learn", "-".join((request_id, "rest", *kinds)), list(kinds))
        self._enqueue(ANSWERS, "confirm_promising", "-".join((request_id, "rest", *kinds)), request_id)

    def confirm_promising(self, request_id: str) -> None:
        for round_id in _step(self._confirmations.plan_promising, request_id, str(DBOS.workflow_id)):
            self._enqueue(CONFIRMING, "confirm", round_id, round_id)

    def evaluate(self, hypothesis_id: str, person: str, clicked_at: str) -> None:
        click = f"{hypothesis_id}-{clicked_at}"
        self._go_on(click, _step(self._answers.evaluate, hypothesis_id, person, click))

    def confirm(self, round_id: str) -> None:
        confirmations = self._confirmations
        family = _step(confirmations.prepare, round_id)
        faults = {id: _step(confirmations.measure, round_id, id) for id in family}
        for finding in _step(confirmations.decide, round_id, faults):
            _step(confirmations.explain, round_id, finding)

    def export(self, hypothesis_id: str, clicked_at: str) -> None:
        _step(self._confirmations.export, hypothesis_id, f"{hypothesis_id}-{clicked_at}")

    def stop(self, wanted: str, person: str, clicked_at: str) -> None:
        _step(self._answers.stop, wanted, person, clicked_at)

    def read(self, reading_id: str) -> None:
        if _step(self._papers.readings.read, reading_id):
            _step(self._papers.readings.show_ideas, reading_id)

    def experiment(self, experiment_id: str) -> None:
        """Until it is reported, stopped, or waits for people; who then speaks enqueues it anew."""
        experiments = self._papers.experiments
        _step(experiments.begin, experiment_id)
        while (came := _step(experiments.step, experiment_id)) == MORE:
            pass
        if came == REPORT:
            _step(experiments.report, experiment_id)

    def vote_on_idea(self, *clicked: Any) -> None:
        _step(self._papers.steering.vote, *clicked)

    def edit_plan(self, idea_id: str, told: Mapping[str, Any], person: str, form_id: str) -> None:
        _step(self._papers.steering.edit, idea_id, told, person, form_id)

    def approve_idea(self, idea_id: str, person: str, clicked_at: str, as_component: bool) -> None:
        then = _step(self._papers.approve_clicked, idea_id, person, clicked_at, as_component)
        self._go_on(f"{idea_id}-{clicked_at}", then)

    def take_over(self, experiment_id: str, clicked_at: str) -> None:
        _step(self._papers.experiments.take_over, experiment_id, clicked_at)

    def vote(self, *clicked: Any) -> None:
        kind = _step(self._answers.vote, *clicked)
        if kind:
            self._enqueue(LEARNING, "learn", str(DBOS.workflow_id), [kind])

    def learn(self, kinds: Sequence[str]) -> None:
        for kind in kinds:
            _step(self._answers.learn, kind)

    def digest(self, channel: str, key: str) -> None:
        _step(self._answers.digest, channel, key)

    def digest_off(self, channel: str, key: str) -> None:
        _step(self._answers.digest_off, channel, key)

    def rotate(self, date: str) -> None:
        """Let an epoch of the suites begin when it is time, after its anchors were measured."""
        epoch, why = _step(self._rotation.due)
        for kind, batch in _step(self._rotation.plan, epoch):
            _step(self._rotation.measure, epoch, kind, batch)
        self._enqueue(LEARNING, "learn", f"epoch-{date}", _step(self._rotation.begin, epoch, why))

    def _guarded(self, body: Callable[..., None]) -> Callable[..., None]:
        """The one place where a job is marked failed."""

        def guarded(*arguments: Any) -> None:
            try:
                body(*arguments)
            except Exception as fault:
                if self._closing.is_set():
                    # No outcome is recorded, as for a process that was killed: the next one goes on from the last step.
                    raise SystemExit from fault
                job_id = str(DBOS.workflow_id)
                log.error("job failed", job=job_id, exc_info=fault)
                self._say_failed(body.__name__, arguments, job_id, *explain(fault))

        guarded.__name__ = guarded.__qualname__ = body.__name__
        return guarded

    def _say_failed(self, workflow: str, arguments: Sequence[Any], job_id: str, what: str, advice: str) -> None:
        if workflow in ("research", "rest"):
            _step(self._investigation.fail, arguments[0], job_id, what, advice)
        elif workflow == "confirm":
            _step(self._confirmations.fail, arguments[0], job_id, what, advice)
        elif workflow in ("read", "experiment"):
            _step(self._papers.fail, arguments[0], job_id, what, advice)
        elif workflow in ("answer", "try_as"):
            _step(self._answers.fail, arguments[0], job_id, what, advice)


def _step(batch: Callable[..., Any], *arguments: Any) -> Any:
    options: Any = {
        "name": batch.__name__,
        "retries_allowed": True,
        "max_attempts": ATTEMPTS,
        "should_retry": lambda fault: isinstance(fault, SandboxError),
    }
    return DBOS.run_step(options, batch, *arguments)


def _batches(ids: Sequence[str], size: int) -> list[list[str]]:
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]
