"""Faults of ours in the bot.

BotError
 +- SlackError           Slack did not do what was asked
     +- SlackUnreachable   no answer, or a broken one; what was sent may or may not have arrived
     +- SlackBusy          too many calls, and waiting as long as it asked did not help
     +- ContentRefused     it does not take this content; a simpler form of it may do
     +- PlaceGone          the channel, the thread or the message is not there, or not for us
     +- NotPermitted       the token is wrong or lacks a scope: nothing will work until an operator changes it
"""

from __future__ import annotations


class BotError(Exception):
    """A fault of ours. The message says what, which value, and what to do."""


class SlackError(BotError):
    """`code` is Slack's own word for it, empty when Slack did not answer."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


class SlackUnreachable(SlackError):
    pass


class SlackBusy(SlackError):
    pass


class ContentRefused(SlackError):
    pass


class PlaceGone(SlackError):
    pass


class NotPermitted(SlackError):
    pass
