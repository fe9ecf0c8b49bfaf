"""A local workspace, the bot's side of it (slack_sdk) and a person's side (WorkspaceClient), over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from slack_sdk import WebClient

from bot.workspace.client import WorkspaceClient
from bot.workspace.delivery import Timing
from bot.workspace.rates import UNLIMITED
from bot.workspace.server import Workspace


@pytest.fixture
def timing() -> Timing:
    """Slack's three seconds to acknowledge; the rest short."""
    return Timing(retry_seconds=(0.0, 0.0, 0.0), upload_seconds=0.2)


@pytest.fixture
def workspace(tmp_path: Path, timing: Timing) -> Iterator[Workspace]:
    with Workspace(tmp_path / "home", rates=UNLIMITED, timing=timing) as running:
        yield running


@pytest.fixture
def bot(workspace: Workspace) -> WebClient:
    return WebClient(workspace.bot_token, base_url=workspace.api_url)


@pytest.fixture
def person(workspace: Workspace) -> Iterator[WorkspaceClient]:
    with WorkspaceClient(workspace.url) as client:
        yield client
