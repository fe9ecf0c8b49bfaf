"""What threads of papers need, built and wired together: the part of app.py that is about papers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Lock

from sqlalchemy import Engine

from bot.experiments import Experiments, cost_of
from bot.home import Home
from bot.papers import Papers
from bot.reading_room import ReadingRoom
from bot.readings import Readings
from bot.settings import Settings
from bot.slack import Slack
from bot.steering import Steering
from engine.experiment.agent import ExperimentAgent
from engine.experiment.author import ModelAuthor, TemplateAuthor
from engine.experiment.hub import FOLDER, Hub, HuggingFaceHub
from engine.experiment.papers import PaperSearch
from engine.experiment.plan import Plan
from engine.experiment.published import start
from engine.experiment.search import HubSearch, LocalSearch
from engine.experiment.task import Data
from engine.research import Research
from sandbox.workspace import WorkspaceSandbox
from storage.files import Files, SqlAttachments
from storage.ideas import SqlIdeas
from storage.inquiries import SqlInquiries
from storage.journal import SqlJournal
from storage.notebook import SqlNotebook


def papers_on(
    settings: Settings,
    database: Engine,
    *,
    room: ReadingRoom,
    workspaces: Callable[[], WorkspaceSandbox],
    inquiries: SqlInquiries,
    research: Research,
    slack: Slack,
    closing: ExitStack,
) -> Papers:
    """For the threads of papers. `workspaces`: opened when the first experiment begins."""
    notebook, ideas = SqlNotebook(database), SqlIdeas(database)
    author = TemplateAuthor() if settings.openai_api_key is None else ModelAuthor(room.model)

    def opens() -> ExperimentAgent:
        sandbox = workspaces()
        closing.callback(sandbox.close)
        hub = hub_of(settings)
        outside = HubSearch() if hub.most_bytes else LocalSearch()
        return ExperimentAgent(
            notebook=notebook,
            author=author,
            sandbox=sandbox,
            load=partial(_data_of, settings.home),
            search=PaperSearch(outside, room.retrieval),
            hub=hub,
            prototype=lambda plan: start(plan, settings.home),
        )

    costed = partial(cost_of, notebook)
    steering = Steering(ideas=ideas, inquiries=inquiries, research=research, slack=slack, costed=costed)
    readings = Readings(
        room=room,
        ideas=ideas,
        journal=SqlJournal(database),
        inquiries=inquiries,
        files=Files(Home(settings.home).files),
        attachments=SqlAttachments(database),
        slack=slack,
        costed=costed,
    )
    experiments = Experiments(
        agent=_once(opens), author=author.name, notebook=notebook, ideas=ideas, steering=steering, slack=slack
    )
    return Papers(readings=readings, steering=steering, experiments=experiments, slack=slack)


def hub_of(settings: Settings) -> Hub:
    """What it fetched lies in the home. Nobody is asked where literature is only the team's own."""
    most = settings.hub_mib << 20 if settings.literature == "all" else 0
    return HuggingFaceHub(settings.home / FOLDER, most)


def _once(opens: Callable[[], ExperimentAgent]) -> Callable[[], ExperimentAgent]:
    """What it opens at the first call, then the same. Whoever calls meanwhile waits."""
    opening, opened = Lock(), list[ExperimentAgent]()

    def agent() -> ExperimentAgent:
        with opening:
            if not opened:
                opened.append(opens())
            return opened[0]

    return agent


def _data_of(home: Path, plan: Plan) -> Data:
    return plan.template.load(home, plan.data)
