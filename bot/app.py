"""The only place where things are built and wired together; what threads of papers need in paper_wiring.py."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from sqlalchemy import Engine

from bot.answers import Answers
from bot.attachments import Attachments
from bot.confirmations import Confirmations
from bot.digests import Digests
from bot.home import Home
from bot.investigation import Investigation
from bot.jobs import Jobs
from bot.listeners import buttons, message, plans
from bot.own_models import OwnModels
from bot.paper_wiring import papers_on
from bot.papers import Papers
from bot.past import tried_here
from bot.questions import Questions
from bot.reading_room import ReadingRoom
from bot.schedule import Schedule
from bot.settings import Device, Settings
from bot.slack import Slack
from bot.views.conditions import Conditions, measuring
from bot.votes import Votes
from bot.workspace.server import Workspace
from engine.choose import Weights
from engine.confirm import Confirm
from engine.evaluate import Evaluator
from engine.llm.catalogue import offline_catalogue
from engine.llm.client import LLM, OPENAI_URL, OpenAIModel
from engine.own.registered import suites_with
from engine.papers.arxiv import PAUSE_SECONDS as ARXIV_PAUSE
from engine.papers.arxiv import Arxiv
from engine.papers.embedding import Embedder, EndpointEmbedder, local_embedder
from engine.papers.literature import PAUSE_SECONDS as SCHOLAR_PAUSE
from engine.papers.literature import Literature, SemanticScholar, TeamLiterature
from engine.papers.retrieval import Retrieval
from engine.papers.web import Web
from engine.research import Research
from engine.rotation import Rotation
from sandbox.choose import gpu_is_there, open_sandbox, open_with_gpu, open_workspaces
from sandbox.errors import SandboxUnavailable
from sandbox.execution import Sandbox
from sandbox.guest.components.kinds import KINDS
from sandbox.share import Share
from sandbox.workspace import WorkspaceSandbox
from storage.database import open_database
from storage.files import Files, SqlAttachments
from storage.findings import SqlLedger
from storage.ideas import SqlIdeas
from storage.inquiries import SqlInquiries
from storage.journal import SqlJournal
from storage.library import SqlLibrary
from storage.posts import SqlPosts
from storage.suites import SqlOwnSuites


@dataclass(frozen=True, slots=True, kw_only=True)
class Laboratory:
    """What is needed to try components: no Slack, no jobs. `conjecture try` and `export` use it alone."""

    settings: Settings
    home: Home
    database: Engine
    journal: SqlJournal
    own: SqlOwnSuites  # the teams' models
    sandbox: Sandbox
    evaluator: Evaluator
    models: tuple[LLM, ...]
    research: Research
    ledger: SqlLedger
    confirm: Confirm
    _closing: ExitStack

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Raises HomeError, StorageError or SandboxError, each with advice."""
        with ExitStack() as closing:
            home = Home(settings.home)
            home.prepare()
            database = open_database(settings.database_url.get_secret_value())
            closing.callback(database.dispose)
            journal = SqlJournal(database)
            sandbox, device = sandbox_and_device(settings)
            closing.callback(sandbox.close)
            own = SqlOwnSuites(database)
            evaluator, patient = (
                Evaluator(
                    sandbox=each, journal=journal, secret=home.suite_secret(), suites=suites_with(own), device=device
                )
                for each in (sandbox, Share(sandbox))
            )
            ledger = SqlLedger(database)
            models = models_of(settings)
            return cls(
                settings=settings,
                home=home,
                database=database,
                journal=journal,
                own=own,
                sandbox=sandbox,
                evaluator=evaluator,
                models=models,
                research=Research(
                    journal=journal,
                    sandbox=sandbox,
                    evaluator=evaluator,
                    models=models,
                    kinds=KINDS,
                    weights=weights_of(settings),
                ),
                ledger=ledger,
                confirm=Confirm(journal=journal, ledger=ledger, evaluator=patient, kinds=KINDS),
                _closing=closing.pop_all(),
            )

    def conditions(self, kind: str, suite: str) -> Conditions:
        """Under which components of a kind are measured on the suite of this name."""
        measured = measuring(KINDS[kind], self.evaluator.suite(kind, suite), self.evaluator.identity(kind, suite))
        return Conditions(measuring=measured, sandbox=self.sandbox.level)

    def rotation(self) -> Rotation:
        days, hypotheses = self.settings.epoch_days, self.settings.epoch_hypotheses
        return Rotation(journal=self.journal, evaluator=self.evaluator, kinds=KINDS, days=days, hypotheses=hypotheses)

    def close(self) -> None:
        self._closing.close()


def sandbox_and_device(settings: Settings) -> tuple[Sandbox, str]:
    """With a GPU where one is asked for, or where one is there and can be used; else as `sandbox_of`."""
    asked = settings.device is Device.CUDA
    if asked or (settings.device is Device.AUTO and gpu_is_there()):
        try:
            options = {name: value for name, value in _options(settings).items() if name != "parallel"}
            return open_with_gpu(settings.sandbox.value, gpus=settings.gpus, **options), "cuda"
        except SandboxUnavailable:
            if asked:
                raise
    return sandbox_of(settings), "cpu"


def _options(settings: Settings) -> dict[str, Any]:
    return {"parallel": settings.parallel, "runtime": settings.sandbox_runtime, "owner": str(settings.home)}


def sandbox_of(settings: Settings) -> Sandbox:
    """The strongest that the machine allows; none at all only where nothing else works and the operator said so.

    Raises SandboxUnavailable, with advice.
    """
    options = _options(settings)
    try:
        return open_sandbox(settings.sandbox.value, **options)
    except SandboxUnavailable:
        if not settings.unsafe_sandbox:
            raise
        return open_sandbox("unsafe", **options)


def workspaces_of(settings: Settings) -> WorkspaceSandbox:
    """Where whole scripts run, chosen as `sandbox_of` chooses. Raises SandboxUnavailable, with advice."""
    try:
        return open_workspaces(settings.sandbox.value, **_options(settings))
    except SandboxUnavailable:
        if not settings.unsafe_sandbox:
            raise
        return open_workspaces("unsafe", **_options(settings))


def weights_of(settings: Settings) -> Weights:
    """What counts how much when it is decided what is measured."""
    return Weights(exploration=settings.exploration, novel_share=settings.novel_share, votes=settings.vote_weight)


def models_of(settings: Settings) -> tuple[LLM, ...]:
    """The models that propose hypotheses: those of the endpoint when there is a key, else the offline catalogue."""
    if settings.openai_api_key is None:
        return (offline_catalogue(),)
    return tuple(
        OpenAIModel(
            model=model,
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url or OPENAI_URL,
        )
        for model in settings.models
    )


@contextmanager
def reading_room(settings: Settings) -> Iterator[ReadingRoom]:
    """For papers alone: no sandbox is opened. Raises HomeError or StorageError, each with advice."""
    home = Home(settings.home)
    home.prepare()
    database = open_database(settings.database_url.get_secret_value())
    try:
        yield reading_room_on(settings, database)
    finally:
        database.dispose()


def reading_room_on(settings: Settings, database: Engine) -> ReadingRoom:
    library, journal = SqlLibrary(database), SqlJournal(database)
    cache = settings.home / "literature"
    arxiv = Arxiv(Web("arXiv", settings.arxiv_url, folder=cache, pause_seconds=ARXIV_PAUSE))
    key = settings.semantic_scholar_key
    scholar = Web(
        SemanticScholar.name,
        settings.semantic_scholar_url,
        folder=cache,
        pause_seconds=SCHOLAR_PAUSE,
        headers={"x-api-key": key.get_secret_value()} if key else {},
    )
    own = TeamLiterature(library, lambda: tried_here(journal))
    outside: list[Literature] = [SemanticScholar(scholar), arxiv] if settings.literature == "all" else []
    return ReadingRoom(
        model=models_of(settings)[0],
        retrieval=Retrieval(library, embedder_of(settings)),
        arxiv=arxiv,
        literatures=[own, *outside],
        opinions=SqlIdeas(database).opinions,
    )


def embedder_of(settings: Settings) -> Embedder | None:
    """A model of the endpoint where one is named; else the sentence model on this machine, if there is one."""
    if settings.embeddings is None:
        return local_embedder()
    if settings.openai_api_key is None:
        return None
    key = settings.openai_api_key.get_secret_value()
    return EndpointEmbedder(model=settings.embeddings, api_key=key, base_url=settings.openai_base_url)


class Bot:
    """Everything, running: from the construction until `close`."""

    def __init__(self, settings: Settings, *, workspace: Workspace | None) -> None:
        """`workspace`: the local one, already started; None connects to the real Slack.

        The caller holds the home's lock. Raises what `Laboratory.open` raises, and SlackError when Slack refuses.
        """
        with ExitStack() as closing:
            self.laboratory = Laboratory.open(settings)
            closing.callback(self.laboratory.close)
            client, app_token = connection(settings, workspace)
            app = App(client=client, process_before_response=True, logger=quiet_logger())
            bot_user = str(client.auth_test()["user_id"])
            self.inquiries = SqlInquiries(self.laboratory.database)
            self._wire(app, client, bot_user, closing)
            handler = SocketModeHandler(app, app_token)
            closing.callback(handler.close)
            handler.connect()  # type: ignore[no-untyped-call]
            self._closing = closing.pop_all()

    def _wire(self, app: App, client: WebClient, bot_user: str, closing: ExitStack) -> None:
        lab = self.laboratory
        slack = Slack(client, posts := SqlPosts(lab.database))
        schedule = Schedule(lab.database, lab.settings.digest_timezone)
        investigation = Investigation(
            research=lab.research,
            journal=lab.journal,
            inquiries=self.inquiries,
            slack=slack,
            conditions=lab.conditions,
            generators=[model.name for model in lab.models],
        )
        confirmations = Confirmations(
            confirm=lab.confirm,
            ledger=lab.ledger,
            research=lab.research,
            journal=lab.journal,
            inquiries=self.inquiries,
            slack=slack,
            conditions=lab.conditions,
            by_itself=lab.settings.confirm,
        )
        papers = self._papers(slack, closing.enter_context(ExitStack()))
        answers = self._answers(client, slack, posts, schedule, confirmations, papers)
        jobs = Jobs(
            answers=answers,
            investigation=investigation,
            confirmations=confirmations,
            papers=papers,
            inquiries=self.inquiries,
            rotation=lab.rotation(),
            url=jobs_database(lab.settings),
            executor_id=lab.home.executor_id("bot"),
        )
        closing.callback(jobs.close)
        message.register(app, jobs=jobs, inquiries=self.inquiries, papers=papers, bot_user=bot_user)
        buttons.register(app, jobs=jobs)
        plans.register(app, jobs=jobs, steering=papers.steering)
        jobs.start()
        schedule.start(jobs.receive_digest)
        schedule.every_night(jobs.receive_night)
        closing.callback(schedule.close)

    def _papers(self, slack: Slack, closing: ExitStack) -> Papers:
        """`closing`: closed after the jobs, so that what they run does not lose its sandbox."""
        lab = self.laboratory
        return papers_on(
            lab.settings,
            lab.database,
            room=reading_room_on(lab.settings, lab.database),
            workspaces=partial(workspaces_of, lab.settings),
            inquiries=self.inquiries,
            research=lab.research,
            slack=slack,
            closing=closing,
        )

    def _answers(
        self,
        client: WebClient,
        slack: Slack,
        posts: SqlPosts,
        schedule: Schedule,
        confirmations: Confirmations,
        papers: Papers,
    ) -> Answers:
        lab = self.laboratory
        return Answers(
            journal=lab.journal,
            inquiries=self.inquiries,
            research=lab.research,
            sandbox=lab.sandbox,
            slack=slack,
            digests=Digests(
                journal=lab.journal, ledger=lab.ledger, research=lab.research, slack=slack, schedule=schedule
            ),
            attachments=Attachments(client, Files(lab.home.files), SqlAttachments(lab.database)),
            own_models=OwnModels(
                own=lab.own,
                journal=lab.journal,
                inquiries=self.inquiries,
                slack=slack,
                kinds=KINDS,
                parallel=lab.sandbox.parallel,
            ),
            confirmations=confirmations,
            votes=Votes(journal=lab.journal, research=lab.research, slack=slack, posts=posts),
            papers=papers,
            questions=Questions(journal=lab.journal, research=lab.research, sandbox=lab.sandbox),
            conditions=lab.conditions,
        )

    def close(self) -> None:
        self._closing.close()


def connection(settings: Settings, workspace: Workspace | None) -> tuple[WebClient, str]:
    """A client for the Web API and the app-level token of Socket Mode."""
    if workspace is not None:
        return WebClient(workspace.bot_token, base_url=workspace.api_url), workspace.app_token
    if settings.slack_bot_token is None or settings.slack_app_token is None:
        raise ValueError("no local workspace was given, and SLACK_BOT_TOKEN and SLACK_APP_TOKEN are not set")
    client = WebClient(settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url)
    return client, settings.slack_app_token.get_secret_value()


def jobs_database(settings: Settings) -> str:
    """Workflows live beside everything else: in PostgreSQL in the same database, with SQLite in a file of their own,
    since two libraries that write one SQLite file wait for each other."""
    url = settings.database_url.get_secret_value()
    return f"sqlite:///{settings.home / 'jobs.db'}" if url.startswith("sqlite") else url


def quiet_logger() -> logging.Logger:
    """Bolt warns about every event that nobody listens to."""
    logger = logging.getLogger("bot.bolt")
    logger.setLevel(logging.ERROR)
    return logger
