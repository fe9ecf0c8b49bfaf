"""A proposed component: a claim, why it might hold, and the code that puts it to the test."""

from __future__ import annotations

from dataclasses import dataclass

from engine.request import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    id: str  # made by the engine from what it is made of, so that recording it twice is harmless
    request_id: str
    kind: str
    title: str
    claim: str
    rationale: str
    inspiration: str
    source: bytes  # one Python module with a module-level `build`, exactly as received
    strategy: Strategy
    generator: str  # the model's name, "offline catalogue", or a person's name
    origin: str | None = None  # the entry's id in the catalogue
    prompt_digest: str | None = None

    @property
    def code(self) -> str:
        """The source as text for people; undecodable bytes become replacement characters."""
        return self.source.decode("utf-8", errors="replace")
