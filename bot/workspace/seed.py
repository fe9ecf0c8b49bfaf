"""Who and what exists in a new workspace. The ids are fixed, so that a program may name them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

TEAM_ID = "T0WORKSPACE"
TEAM_NAME = "Local workspace"
TEAM_DOMAIN = "local"
APP_ID = "A0CONJECTURE"
BOT_ID = "B0CONJECTURE"
BOT_USER = "U0CONJECTURE"
BOT_NAME = "conjecture"
ADA = "U0ADA"
GRACE = "U0GRACE"
RESEARCH = "C0RESEARCH"
GENERAL = "C0GENERAL"

DEFAULT_USER = ADA


def user(user_id: str, name: str, real_name: str, **more: Any) -> Json:
    """A user as `users.info` shows it; `more` overrides single fields."""
    profile = {"real_name": real_name, "display_name": name, "email": f"{name}@local.invalid"}
    return {
        "id": user_id,
        "team_id": TEAM_ID,
        "name": name,
        "real_name": real_name,
        "deleted": False,
        "tz": "UTC",
        "tz_label": "Coordinated Universal Time",
        "tz_offset": 0,
        "profile": profile,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_stranger": False,
        "is_bot": False,
        "is_app_user": False,
        **more,
    }


USERS = [
    user(ADA, "ada", "Ada Lovelace", is_admin=True, is_owner=True),
    user(GRACE, "grace", "Grace Hopper"),
    user(BOT_USER, BOT_NAME, "Conjecture", is_bot=True),
]


def channel(channel_id: str, name: str, topic: str) -> Json:
    """A public channel as `conversations.info` shows it."""
    return {
        "id": channel_id,
        "name": name,
        "name_normalized": name,
        "is_channel": True,
        "is_group": False,
        "is_im": False,
        "is_mpim": False,
        "is_private": False,
        "is_archived": False,
        "is_general": name == "general",
        "is_member": True,
        "creator": ADA,
        "topic": {"value": topic, "creator": ADA, "last_set": 0},
        "purpose": {"value": topic, "creator": ADA, "last_set": 0},
        "context_team_id": TEAM_ID,
    }


def direct(user_id: str) -> Json:
    """The direct-message channel between the bot and one user."""
    return {
        "id": "D" + user_id.removeprefix("U"),
        "is_channel": False,
        "is_group": False,
        "is_im": True,
        "is_mpim": False,
        "is_private": True,
        "is_archived": False,
        "is_open": True,
        "user": user_id,
        "context_team_id": TEAM_ID,
    }


CHANNELS = [
    channel(RESEARCH, "research", "Ask @conjecture for hypotheses; the tested ranking comes back in the thread"),
    channel(GENERAL, "general", "Everything else"),
    direct(ADA),
    direct(GRACE),
]
