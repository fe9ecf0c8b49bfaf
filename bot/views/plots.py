"""Pictures that were uploaded before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.views.block_kit import image, message
from bot.views.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    file_id: str  # complete: see Slack.upload
    title: str
    alt: str  # what the picture shows, for those who cannot see it


def plots(pictures: Sequence[Picture], *, request_id: str) -> Message:
    """One message with all pictures, at most 10 of them."""
    blocks = [image(picture.file_id, picture.title, picture.alt) for picture in pictures[:10]]
    return message(*blocks, request_id=request_id)
