"""`conjecture run`: the bot, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading

from bot.app import Bot
from bot.commands.reporting import advised, log_to_stderr
from bot.home import Home
from bot.manifest import manifest
from bot.settings import Settings, read_settings
from bot.workspace.server import Workspace
from sandbox.guest.components.kinds import KINDS


def run() -> int:
    with advised() as outcome:
        settings = read_settings()
        log_to_stderr(settings.log_level)
        home = Home(settings.home)
        home.prepare()
        with home.lock():
            serve(settings, home)
    return outcome.exit_code


def serve(settings: Settings, home: Home) -> None:
    workspace = None
    if settings.slack_bot_token is None:
        where = home.path / "workspace"
        workspace = Workspace(where, port=settings.port, host=settings.host, manifest=manifest()).start()
    bot = Bot(settings, workspace=workspace)
    home.announce(workspace.url if workspace else None)
    print(banner(settings, bot, workspace), flush=True)
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    ended.wait()
    print("\nStopping. What is unfinished goes on at the next start.", file=sys.stderr, flush=True)
    bot.close()
    if workspace:
        workspace.close()


def banner(settings: Settings, bot: Bot, workspace: Workspace | None) -> str:
    lab = bot.laboratory
    where = f"Open {workspace.url}" if workspace else "Connected to Slack by Socket Mode"
    rows = [
        ("Conjecture", where),
        ("generator", ", ".join(model.name for model in lab.models)),
        ("sandbox", lab.sandbox.level.value + weaker(lab.sandbox.level.value)),
        ("kinds", ", ".join(KINDS)),
        ("state", str(settings.home)),
    ]
    return "\n".join(f"{name:<11} {value}" for name, value in rows) + "\nCtrl-C ends it; nothing is lost."


def weaker(level: str) -> str:
    return "" if level.startswith("docker") else "  (weaker than a container; `conjecture doctor` says more)"
