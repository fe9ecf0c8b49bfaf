"""An app hears and may call what its manifest says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.workspace.client import WorkspaceClient
from bot.workspace.grants import SCOPES, Grants
from bot.workspace.seed import RESEARCH
from bot.workspace.web_api.dispatch import METHODS


@pytest.fixture
def manifest() -> dict[str, Any]:
    """The product's own, without the right to write."""
    own: dict[str, Any] = json.loads((Path(__file__).parents[3] / "manifest.json").read_text())
    own["oauth_config"]["scopes"]["bot"].remove("chat:write")
    return own


def test_a_call_without_its_scope_is_refused_with_the_name_of_the_scope(bot: WebClient) -> None:
    with pytest.raises(SlackApiError) as error:
        bot.chat_postMessage(channel=RESEARCH, text="x")
    assert (error.value.response["error"], error.value.response["needed"]) == ("missing_scope", "chat:write")
    assert bot.users_list()["ok"]


@pytest.mark.parametrize(
    ("event", "heard"),
    [
        ({"type": "app_mention"}, True),
        ({"type": "message", "channel_type": "channel"}, True),
        ({"type": "message", "channel_type": "im"}, False),
        ({"type": "reaction_added"}, False),
    ],
)
def test_an_app_hears_what_it_subscribed_to(event: dict[str, str], heard: bool) -> None:
    assert Grants(events=frozenset({"app_mention", "message.channels"})).hears(event) is heard


def test_a_home_that_nobody_listens_to_is_not_offered(person: WorkspaceClient) -> None:
    assert person.state()["has_home"] is False


def test_direct_messages_have_scopes_of_their_own() -> None:
    grants = Grants(scopes=frozenset({"channels:history"}))
    assert grants.missing("conversations.history", RESEARCH) is None
    assert grants.missing("conversations.history", "D0ADA") == "im:history"


def test_scopes_are_named_for_methods_that_exist() -> None:
    assert SCOPES.keys() <= METHODS.keys()
