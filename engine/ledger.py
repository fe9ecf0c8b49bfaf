"""The ledger of confirmations: what was decided before looking, and what came of it. Nothing in it ever changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import RLock
from typing import Protocol

from engine.errors import UnknownThing
from engine.finding import Closing, Confirmation, Origin, Round


class Ledger(Protocol):
    """Thread-safe, also over processes that share a database."""

    def plan(self, planned: Round) -> bool:
        """False, and nothing is recorded, where its id, its number or its seeds are taken."""
        ...

    def round(self, round_id: str) -> Round:
        """Raises UnknownThing."""
        ...

    def rounds(self) -> list[Round]:
        """All, by number."""
        ...

    def close(self, round_id: str, closing: Closing) -> None:
        """The first closing stays. Raises UnknownThing."""
        ...

    def record_origin(self, origin: Origin) -> None:
        """One a hypothesis; a later one replaces it."""
        ...

    def origin(self, hypothesis_id: str) -> Origin | None: ...


class MemoryLedger:
    """A ledger that forgets. One lock around all of it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._rounds: dict[str, Round] = {}
        self._origins: dict[str, Origin] = {}

    def plan(self, planned: Round) -> bool:
        with self._lock:
            for other in self._rounds.values():
                if planned.id == other.id or planned.number == other.number or planned.seeds == other.seeds:
                    return False
            self._rounds[planned.id] = replace(planned, closing=None)
            return True

    def round(self, round_id: str) -> Round:
        with self._lock:
            if round_id not in self._rounds:
                raise UnknownThing(f"No confirmation {round_id!r} is recorded.")
            return self._rounds[round_id]

    def rounds(self) -> list[Round]:
        with self._lock:
            return sorted(self._rounds.values(), key=lambda one: one.number)

    def close(self, round_id: str, closing: Closing) -> None:
        with self._lock:
            known = self.round(round_id)
            if known.closing is None:
                self._rounds[round_id] = replace(known, closing=closing)

    def record_origin(self, origin: Origin) -> None:
        with self._lock:
            self._origins[origin.hypothesis_id] = origin

    def origin(self, hypothesis_id: str) -> Origin | None:
        with self._lock:
            return self._origins.get(hypothesis_id)


def uses(rounds: Sequence[Round]) -> Mapping[str, int]:
    """How often each data set was used for a confirmation, by kind/data set: a stopped round has looked at nothing."""
    return Counter(f"{one.kind}/{name}" for one in rounds if not one.stopped for name in one.data_sets)


def outcome_of(hypothesis_id: str, rounds: Sequence[Round]) -> tuple[Round, Confirmation | None] | None:
    """The round that a hypothesis is or was in, unless that was stopped, and what came of it (None: under way)."""
    for one in rounds:
        if hypothesis_id in one.family and not one.stopped:
            found = one.closing.confirmations if one.closing else ()
            return one, next((each for each in found if each.hypothesis_id == hypothesis_id), None)
    return None


def findings(rounds: Sequence[Round]) -> list[tuple[Round, Confirmation]]:
    """Newest first."""
    closed = [(one, each) for one in rounds if one.closing for each in one.closing.confirmations if each.finding]
    return closed[::-1]
