"""`conjecture doctor`: what is configured and works, and for each thing that does not, what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from bot.app import connection, models_of, sandbox_of
from bot.commands.reporting import FAILED, advised, log_to_stderr
from bot.errors import SlackError
from bot.home import Home, HomeError
from bot.settings import Settings, SettingsError, read_settings
from bot.slack_calls import call
from engine.errors import GeneratorError
from engine.llm.client import OpenAIModel
from sandbox.choose import gpus_here, gpus_named
from sandbox.diagnosis import diagnose
from sandbox.errors import SandboxError
from sandbox.execution import Level
from storage.database import open_database
from storage.errors import StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    name: str
    works: bool | None  # None: not used here
    detail: str
    advice: str | None = None


def doctor(*, as_json: bool) -> int:
    with advised() as outcome:
        log_to_stderr("error")
        findings = list(examine(read_settings()))
        if as_json:
            print(json.dumps({finding.name: asdict(finding) for finding in findings}, indent=2, ensure_ascii=False))
        else:
            show(findings)
        if any(finding.works is False and finding.name in ESSENTIAL for finding in findings):
            outcome.exit_code = FAILED
    return outcome.exit_code


ESSENTIAL = ("home", "database", "generator", "sandbox", "slack")


def examine(settings: Settings) -> Iterator[Finding]:
    yield attempted("home", lambda: home(settings))
    yield attempted("database", lambda: database(settings))
    yield attempted("generator", lambda: generator(settings))
    yield attempted("slack", lambda: slack(settings))
    yield attempted("sandbox", lambda: sandbox(settings))
    for fact in diagnose():
        yield Finding(name=fact.name, works=fact.works, detail=fact.detail, advice=fact.advice)
    yield attempted("gpu", lambda: gpu(settings))


def attempted(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except (HomeError, StorageError, SettingsError, GeneratorError, SlackError, SandboxError) as fault:
        return Finding(name=name, works=False, detail="does not work", advice=str(fault))


def home(settings: Settings) -> Finding:
    Home(settings.home).prepare()
    run = Home(settings.home).running()
    running = f"; a bot runs on it, process {run.pid}" if run else ""
    return Finding(name="home", works=True, detail=f"{settings.home} is writable{running}")


def database(settings: Settings) -> Finding:
    engine = open_database(settings.database_url.get_secret_value())
    shown = engine.url.render_as_string(hide_password=True)
    engine.dispose()
    return Finding(name="database", works=True, detail=f"{shown} answers, tables are up to date")


def generator(settings: Settings) -> Finding:
    models = models_of(settings)
    names = ", ".join(model.name for model in models)
    for model in models:
        if isinstance(model, OpenAIModel):
            known = model.models()
            if known and model.model not in known:
                advice = f"The endpoint offers: {', '.join(known[:10])}. Set CONJECTURE_MODELS."
                return Finding(name="generator", works=False, detail=f"{model.model} is not offered", advice=advice)
    return Finding(name="generator", works=True, detail=f"{names} answers")


def slack(settings: Settings) -> Finding:
    if settings.slack_bot_token is None:
        return Finding(
            name="slack",
            works=None,
            detail="not configured: the local workspace in the browser is used",
            advice="Set SLACK_BOT_TOKEN and SLACK_APP_TOKEN to connect to a Slack workspace.",
        )
    client, _ = connection(settings, None)
    team = call(client.auth_test)
    return Finding(name="slack", works=True, detail=f"connected to {team['team']} as {team['user']}")


def sandbox(settings: Settings) -> Finding:
    opened = sandbox_of(settings.model_copy(update={"parallel": 1, "home": settings.home / "doctor"}))
    try:
        refused = "NO ISOLATION" if opened.level is Level.UNSAFE else "every attempt to escape was refused"
        runtime = f", runtime {settings.sandbox_runtime}" if settings.sandbox_runtime else ""
        detail = f"level {opened.level.value}{runtime}, torch {opened.torch_version} inside; {refused}"
        return Finding(name="sandbox", works=True, detail=detail)
    finally:
        opened.close()


def gpu(settings: Settings) -> Finding:
    """Asked without CUDA, which this program's own torch may lack although the sandbox's has it."""
    here = gpus_here()
    if not here:
        return Finding(name="gpu", works=None, detail="none; everything runs on the CPU")
    chosen = gpus_named(settings.gpus, here)
    return Finding(name="gpu", works=True, detail=f"{len(here)} here; one job at a time on each of {', '.join(chosen)}")


def show(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        mark = {True: "[green]ok[/]", False: "[red]no[/]", None: "[dim]--[/]"}[finding.works]
        table.add_row(mark, finding.name, finding.detail)
        if finding.advice:
            table.add_row("", "", f"[yellow]{finding.advice}[/]")
    Console().print(table)
