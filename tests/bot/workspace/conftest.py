"""A local workspace, the bot's side of it (slack_sdk) and a person's side (WorkspaceClient), over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
def manifest() -> dict[str, Any]:
    """The product's own, which also hears reactions and the opening of its home here."""
    own: dict[str, Any] = json.loads((Path(__file__).parents[3] / "manifest.json").read_text())
    own["settings"]["event_subscriptions"]["bot_events"] += ["reaction_added", "app_home_opened"]
    own["oauth_config"]["scopes"]["bot"] += ["reactions:read", "reactions:write", "team:read"]
    return own


@pytest.fixture
def workspace(tmp_path: Path, timing: Timing, manifest: dict[str, Any]) -> Iterator[Workspace]:
    with Workspace(tmp_path / "home", manifest=manifest, rates=UNLIMITED, timing=timing) as running:
        yield running


@pytest.fixture
def bot(workspace: Workspace) -> WebClient:
    return WebClient(workspace.bot_token, base_url=workspace.api_url)


@pytest.fixture
def person(workspace: Workspace) -> Iterator[WorkspaceClient]:
    with WorkspaceClient(workspace.url) as client:
        yield client
