"""What an app may call and hear, as its manifest says (docs.slack.dev/reference/app-manifest)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.workspace.seed import Json

# The scope that a method needs; where channels and direct messages differ, both, in this order.
SCOPES: Mapping[str, tuple[str, ...]] = {
    "assistant.threads.setStatus": ("chat:write",),
    "bots.info": ("users:read",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history", "im:history"),
    "conversations.info": ("channels:read", "im:read"),
    "conversations.list": ("channels:read",),
    "conversations.members": ("channels:read", "im:read"),
    "conversations.open": ("im:write",),
    "conversations.replies": ("channels:history", "im:history"),
    "files.completeUploadExternal": ("files:write",),
    "files.delete": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.info": ("files:read",),
    "reactions.add": ("reactions:write",),
    "reactions.get": ("reactions:read",),
    "reactions.remove": ("reactions:write",),
    "team.info": ("team:read",),
    "users.info": ("users:read",),
    "users.list": ("users:read",),
}
EVENTS = frozenset({"app_mention", "message.channels", "message.im"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """The events that an app subscribed to, and its scopes (None: every one)."""

    events: frozenset[str] = EVENTS
    scopes: frozenset[str] | None = None

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Grants:
        """What a manifest asks for. Raises KeyError when it has no bot events or no bot scopes."""
        events = manifest["settings"]["event_subscriptions"]["bot_events"]
        return cls(events=frozenset(events), scopes=frozenset(manifest["oauth_config"]["scopes"]["bot"]))

    def missing(self, method: str, channel: str) -> str | None:
        """The scope that the app lacks for calling `method` on `channel` (an id, or ""); None when it may."""
        needed = SCOPES.get(method)
        if needed is None or self.scopes is None:
            return None
        scope = needed[-1] if channel.startswith("D") else needed[0]
        return None if scope in self.scopes else scope

    def hears(self, event: Json) -> bool:
        """Whether the app subscribed to this event."""
        kind = event["type"]
        if kind == "message":
            kind = "message.im" if event["channel_type"] == "im" else "message.channels"
        return kind in self.events
