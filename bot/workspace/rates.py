"""How often a method may be called. Slack's published tiers, and its documented special cases.

https://docs.slack.dev/apis/web-api/rate-limits: tier 1 is 1 a minute, 2: 20, 3: 50, 4: 100; chat.postMessage is one a
second and channel, with short bursts tolerated. The size of a burst is not published; the figures here are cautious.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.workspace.refusal import RateLimited


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`burst` calls at once, refilled at `per_minute`; counted per channel when `per_channel`."""

    per_minute: float
    burst: int
    per_channel: bool = False


TIER_1 = Rate(per_minute=1, burst=10)  # reconnecting a few times at once is tolerated
TIER_2 = Rate(per_minute=20, burst=20)
TIER_3 = Rate(per_minute=50, burst=50)
TIER_4 = Rate(per_minute=100, burst=100)
HUNDREDS = Rate(per_minute=600, burst=200)

SLACK_RATES: Mapping[str, Rate] = {
    "apps.connections.open": TIER_1,
    "assistant.threads.setStatus": HUNDREDS,
    "auth.test": HUNDREDS,
    "bots.info": TIER_3,
    "chat.delete": TIER_3,
    "chat.getPermalink": HUNDREDS,
    "chat.postEphemeral": TIER_4,
    "chat.postMessage": Rate(per_minute=60, burst=5, per_channel=True),
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.info": TIER_3,
    "conversations.list": TIER_2,
    "conversations.members": TIER_4,
    "conversations.open": TIER_3,
    "conversations.replies": TIER_3,
    "files.completeUploadExternal": TIER_4,
    "files.delete": TIER_3,
    "files.getUploadURLExternal": TIER_4,
    "files.info": TIER_4,
    "reactions.add": TIER_3,
    "reactions.get": TIER_3,
    "reactions.remove": TIER_2,
    "team.info": TIER_3,
    "users.info": TIER_4,
    "users.list": TIER_2,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
}

UNLIMITED: Mapping[str, Rate] = {}


class Limiter:
    """Counts calls against `rates`; a method without a rate is never limited. `clock` gives seconds."""

    def __init__(self, rates: Mapping[str, Rate], clock: Callable[[], float] = time.monotonic) -> None:
        self.rates = rates
        self.clock = clock
        self._spent: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, method: str, channel: str) -> None:
        """Count one call. Raises RateLimited when there is none left."""
        rate = self.rates.get(method)
        if rate is None:
            return
        key = (method, channel if rate.per_channel else "")
        now, per_second = self.clock(), rate.per_minute / 60
        left, since = self._spent.get(key, (float(rate.burst), now))
        left = min(float(rate.burst), left + (now - since) * per_second)
        if left < 1 - 1e-9:  # whoever waited exactly as long as told must not fail by a rounding error
            self._spent[key] = (left, now)
            raise RateLimited(method, max(1, math.ceil((1 - left) / per_second)))
        self._spent[key] = (left - 1, now)
