"""An approved plan as people see it in its thread: attempts, questions, report. A method is one idempotent step of
jobs.py, and what is posted has a key in the ledger, so a step that runs again after a crash posts nothing twice."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.slack import Slack
from bot.steering import Steering
from bot.views import experiment as views
from bot.views.failed import failed
from bot.views.message import Message
from engine.errors import TaskDataError
from engine.experiment.agent import ExperimentAgent, Finished, Question, attempt_lines, difference, judgement_of
from engine.experiment.notebook import Notebook
from engine.experiment.plan import Plan, estimate
from engine.experiment.report import given, plot, reported
from engine.experiment.steps import Experiment, Kind, Next, State, next_step, state_of
from storage.ideas import KeptIdea, SqlIdeas
from storage.inquiries import Inquiry

EXPERIMENT_PREFIX = "x-"
MORE, REPORT, END = "more", "report", "end"  # what comes after a step
REFRESH_SECONDS = 5.0
EARLIER = 3  # experiments on a task, by which the cost of the next one is estimated
UNDO = ("undo", "undo it", "undo the last change", "undo last change", "take it back")
TAKE_OVER = ("take over", "download", "workspace", "take it over", "show the workspace")
DIFF, LOG = ("diff", "show the diff"), ("log", "show the log", "logs")
_UNSUPPORTED = re.compile(r"## Not supported by any result\n\n(?P<it>.*?)(?:\n\n##|\Z)", re.DOTALL)


class Experiments:
    def __init__(
        self,
        *,
        agent: Callable[[], ExperimentAgent],  # opens a sandbox at the first call, and may raise SandboxUnavailable
        author: str,
        notebook: Notebook,
        ideas: SqlIdeas,
        steering: Steering,
        slack: Slack,
    ) -> None:
        self._agent = agent
        self._author = author
        self._notebook = notebook
        self._ideas = ideas
        self._steering = steering
        self._slack = slack

    # --- the work

    def announce(self, experiment_id: str) -> None:
        """Say at once that it starts: it may wait for others."""
        first = self._doing(experiment_id, self._title(experiment_id), None)
        self._say(experiment_id, "progress", views.experimenting(first))

    def begin(self, experiment_id: str) -> None:
        """Record it with its plan. Doing it again changes nothing."""
        idea = self._kept(experiment_id).idea
        self._agent().begin(Experiment(id=experiment_id, plan=idea.plan, material=idea.material, ready=idea.ready))

    def step(self, experiment_id: str) -> str:
        """Take one step and show it: MORE, REPORT or END, by what comes next."""
        with self._reported(experiment_id):
            ending = self._agent().step(experiment_id)
        state = self._agent().state(experiment_id)
        if ending is None:
            self._show(state, "")
            return MORE
        if isinstance(ending, Question):
            number = sum(step.kind is Kind.QUESTION for step in state.steps)
            self._show(state, "It waits for your word.")
            self._say(experiment_id, f"question/{number}", views.question(experiment_id, ending.text))
            return END
        if isinstance(ending, Finished):
            return REPORT
        self._tell_stopped(state)
        return END

    def report(self, experiment_id: str) -> None:
        """The table against the prototype, the criterion as written, the plot; then the bundle as a zip."""
        state = self._agent().state(experiment_id)
        if state.report is None:  # somebody spoke meanwhile: that goes on with it
            return
        plan, judgement = state.experiment.plan, judgement_of(state)
        self._show(state, "Done; the report is below.")
        picture, key = plot(state.experiment, judgement), f"report/{state.round}"
        file_id = self._slack.upload(f"{experiment_id}/{key}/plot", picture, f"{key}.png", "Runs") if picture else None
        found = _UNSUPPORTED.search(state.report.text)
        told = views.reported(
            experiment_id,
            plan,
            judgement,
            unsupported=found["it"].splitlines() if found else (),
            data=plan.template.source(plan.data).provenance,
            plot=file_id,
            beside=reported(state.experiment),
            given=given(state),
        )
        self._say(experiment_id, key, told)
        self._attach(experiment_id, f"{key}/words", state.report.text.encode(), "report", "md", state)
        self._bundle(state, key)

    def _bundle(self, state: State, key: str) -> None:
        experiment_id = state.experiment.id
        with TemporaryDirectory() as folder:
            try:
                path = self._agent().bundle(experiment_id, Path(folder) / "bundle.zip")
            except TaskDataError as error:
                self._say(experiment_id, f"{key}/not-bundled", views.not_bundled(str(error)))
                return
            name = self._attach(experiment_id, f"{key}/zip", path.read_bytes(), "bundle", "zip", state)
        self._say(experiment_id, f"{key}/bundle", views.bundled(name))

    def fail(self, experiment_id: str, job_id: str, what: str, advice: str) -> None:
        """A fault of ours: trying again goes on behind the last step."""
        told = failed(request_id=experiment_id, job_id=job_id, what=what, advice=advice)
        self._say(experiment_id, f"failed/{job_id}", told)
        doing = self._doing(experiment_id, self._title(experiment_id), None)
        self._slack.update(f"{experiment_id}/progress", views.experimenting(replace(doing, ending=f"{what} {advice}")))

    # --- what people do

    def hear(self, inquiry: Inquiry, thread: Sequence[Inquiry], text: str) -> str | None:
        """Words to the newest experiment of a thread. None: there is none. Its id when it is to go on, else ""."""
        found = self._of(thread)
        if not found:
            return None
        experiment_id, order = found[-1], _order(text)
        agent = self._agent()
        if order in UNDO:
            agent.undo(experiment_id, inquiry.id, inquiry.person)
        elif order in TAKE_OVER:
            self.take_over(experiment_id, inquiry.id)
            return ""
        elif order in (*DIFF, *LOG):
            self._hand_out(experiment_id, inquiry.id, "diff" if order in DIFF else "log")
            return ""
        else:
            agent.say(experiment_id, inquiry.id, inquiry.person, text)
        self._say(experiment_id, f"heard/{inquiry.id}", views.heard(self._title(experiment_id)))
        return experiment_id

    def ordered(self, thread: Sequence[Inquiry], text: str) -> bool:
        """Whether words are an order to the newest experiment of a thread."""
        return _order(text) in (*UNDO, *TAKE_OVER, *DIFF, *LOG) and bool(self._of(thread))

    def waits(self, thread: Sequence[Inquiry]) -> bool:
        """Whether the newest experiment of a thread asked something and nobody has answered."""
        found = self._of(thread)[-1:]
        states = (state_of(self._notebook.experiment(one), self._notebook.steps(one)) for one in found)
        return any(next_step(state) is Next.WAIT for state in states)

    def take_over(self, experiment_id: str, occasion: str) -> None:
        zipped = self._agent().take_over(experiment_id)
        name = f"workspace-{experiment_id}-{_short(occasion)}.zip"
        place = self._place(experiment_id)
        self._slack.attach(f"{experiment_id}/workspace/{occasion}", *place, zipped, name, "The workspace")
        self._say(experiment_id, f"taken-over/{occasion}", views.workspace_attached(name))

    def _hand_out(self, experiment_id: str, occasion: str, what: str) -> None:
        state = self._agent().state(experiment_id)
        last = next((step.trial for step in reversed(state.attempts) if step.trial), state.prototype)
        text = difference(state.start, state.workspace) if what == "diff" else last.log if last else ""
        if not text:
            self._say(experiment_id, f"none/{occasion}", views.nothing_of_it(what))
            return
        name = f"{what}-{experiment_id}-{_short(occasion)}.txt"
        self._slack.attach(
            f"{experiment_id}/{what}/{occasion}", *self._place(experiment_id), text.encode(), name, f"The {what}"
        )

    def stop(self, experiment_id: str, person: str, occasion: str) -> None:
        agent = self._agent()
        agent.stop(experiment_id, occasion, person)
        self._tell_stopped(agent.state(experiment_id))

    def resume(self, experiment_id: str, person: str, occasion: str) -> bool:
        """Let one that was stopped go on where it was, and say so. False: there is none, or it is not stopped."""
        if not any(one.id == experiment_id for one in self._notebook.experiments()):
            return False
        if not self._agent().resume(experiment_id, occasion, person):
            return False
        self._say(experiment_id, f"resumed/{occasion}", views.experiment_resumed(self._title(experiment_id), person))
        return True

    def at_work(self, thread: Sequence[Inquiry]) -> list[str]:
        """What can be stopped: a question that waits, too."""
        states = [self._agent().state(one) for one in self._of(thread)]
        return [state.experiment.id for state in states if next_step(state) is not Next.END]

    # --- what is shown

    @contextmanager
    def _reported(self, experiment_id: str) -> Iterator[None]:
        """Keep the progress message fresh while a step works."""
        over = threading.Event()

        def refresh() -> None:
            while not over.wait(REFRESH_SECONDS):
                self._show(self._agent().state(experiment_id), "")

        reporter = threading.Thread(target=refresh, name=f"progress {experiment_id}", daemon=True)
        reporter.start()
        try:
            yield
        finally:
            over.set()
            reporter.join()

    def _of(self, thread: Sequence[Inquiry]) -> list[str]:
        """Experiments of a thread, in the order in which they were begun."""
        readings = self._ideas.readings([inquiry.id for inquiry in thread])
        wanted = {
            experiment_of(kept.id) for kept in self._ideas.ideas([one.id for one in readings]) if kept.approved_by
        }
        return [one.id for one in self._notebook.experiments() if one.id in wanted] if wanted else []

    def _tell_stopped(self, state: State) -> None:
        experiment_id = state.experiment.id
        number = sum(step.kind is Kind.STOPPED for step in state.steps)
        self._show(state, "Stopped.")
        kept = self._kept(experiment_id)
        told = views.experiment_stopped(experiment_id, kept.idea.title, kept.id, kept.number)
        self._say(experiment_id, f"stopped/{number}", told)

    def _show(self, state: State, ending: str) -> None:
        doing = self._doing(state.experiment.id, self._title(state.experiment.id), state)
        self._slack.update(f"{state.experiment.id}/progress", views.experimenting(replace(doing, ending=ending)))

    def _doing(self, experiment_id: str, title: str, state: State | None) -> views.Doing:
        return views.Doing(
            experiment_id=experiment_id,
            title=title,
            author=self._author,
            lines=attempt_lines(state) if state else (),
            judged=len(state.trials) if state else 0,
            to_judge=2 * state.experiment.plan.repeats if state else 0,
            judging=state is not None and state.finished is not None,
            seconds=state.spent.sandbox_seconds if state else 0.0,
        )

    def _attach(self, experiment_id: str, key: str, data: bytes, what: str, ending: str, state: State) -> str:
        again = f"-{state.round + 1}" if state.round else ""
        name = f"{what}-{experiment_id}{again}.{ending}"
        self._slack.attach(f"{experiment_id}/{key}", *self._place(experiment_id), data, name, f"The {what}")
        return name

    def _say(self, experiment_id: str, key: str, told: Message) -> None:
        self._slack.post(f"{experiment_id}/{key}", *self._place(experiment_id), told)

    def _kept(self, experiment_id: str) -> KeptIdea:
        return self._ideas.idea(experiment_id.replace(EXPERIMENT_PREFIX, "i-", 1))

    def _title(self, experiment_id: str) -> str:
        return self._kept(experiment_id).idea.title

    def _place(self, experiment_id: str) -> tuple[str, str]:
        """Channel and thread."""
        place = self._steering.place(self._kept(experiment_id))
        return place.channel, place.thread_ts or place.ts


def _order(text: str) -> str:
    return " ".join(text.lower().split()).strip(" .!")


def cost_of(notebook: Notebook, plan: Plan) -> Plan:
    """With an estimate from the latest experiments on its task; without one where there is none."""
    earlier = [one.id for one in notebook.experiments() if one.plan.task == plan.task][-EARLIER:]
    trials = [step.trial for one in earlier for step in notebook.steps(one) if step.trial is not None]
    seconds = [trial.seconds for trial in trials if trial.value is not None]
    return estimate(plan, sum(seconds) / len(seconds)) if seconds else plan


def experiment_of(idea_id: str) -> str:
    return idea_id.replace("i-", EXPERIMENT_PREFIX, 1)


def _short(occasion: str) -> str:
    return re.sub(r"\W", "", occasion)[-6:]
