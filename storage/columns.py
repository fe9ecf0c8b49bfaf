"""Column types that give back exactly what they were given, on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

# What PostgreSQL (NUL) or UTF-8 (half a surrogate pair) cannot hold, though a model's answer can. Each becomes two
# characters that start with a noncharacter of Unicode, so that ordinary text is stored as it reads.
ESCAPE = "\U0010ffff"
UNSTORABLE = re.compile("[\x00\ud800-\udfff\U0010ffff]")
ESCAPED = re.compile(ESCAPE + "(.)", re.DOTALL)
OFFSET = 0x20000  # into the planes where every code point can be stored


class Position(TypeDecorator[int]):
    """The order of recording: counts up by itself. SQLite counts only a column declared INTEGER."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Integer() if dialect.name == "sqlite" else BigInteger()


class Words(TypeDecorator[str]):
    """Text of any kind, also with NUL characters and lone surrogates in it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else UNSTORABLE.sub(lambda m: ESCAPE + chr(ord(m[0]) % OFFSET + OFFSET), value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else ESCAPED.sub(lambda m: _unescaped(m[1]), value)


def _unescaped(character: str) -> str:
    code = ord(character) - OFFSET
    return ESCAPE if code == ord(ESCAPE) % OFFSET else chr(code)


class Json(TypeDecorator[Any]):
    """A JSON value; None is SQL's NULL. `json` on PostgreSQL, not `jsonb`, which refuses some strings."""

    impl = JSON
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, to the microsecond, read back in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; expected an aware datetime, e.g. datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Seeds(TypeDecorator[tuple[int, ...]]):
    """Seeds as text ("0,1"), because a seed list is part of a key and JSON cannot be one."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else ",".join(str(seed) for seed in value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[int, ...] | None:
        if value is None:
            return None
        return tuple(int(seed) for seed in value.split(",")) if value else ()
