"""JSON as models write it. Accepts what has one possible reading only:

- Python's quotes, triple quotes, True / False / None
- a comma before a closing bracket
- line breaks inside strings, and backslashes that escape nothing (kept as they are)
"""

from __future__ import annotations

import re
from typing import Any

DEEPEST = 40

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[\w.+-]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"', "'": "'"}
_CONSTANTS = {"true": True, "false": False, "none": None, "null": None}
_STRINGS = {
    '"""': re.compile(r'"""(.*?)"""', re.DOTALL),
    "'''": re.compile(r"'''(.*?)'''", re.DOTALL),
    '"': re.compile(r'"([^\\"]*+(?:\\.[^\\"]*+)*+)"', re.DOTALL),
    "'": re.compile(r"'([^\\']*+(?:\\.[^\\']*+)*+)'", re.DOTALL),
}


class Malformed(ValueError):
    """Not readable, or readable in more than one way."""


def read_value(text: str, position: int, depth: int = 0) -> tuple[Any, int]:
    """The value that starts at `position`, and where it ends. Raises Malformed."""
    if depth > DEEPEST:
        raise Malformed("nested too deeply")
    position = _skip(text, position)
    match text[position : position + 1]:
        case "{":
            return _read_object(text, position + 1, depth)
        case "[":
            return _read_list(text, position + 1, depth)
        case '"' | "'":
            return _read_string(text, position)
        case _:
            return _read_scalar(text, position)


def _read_object(text: str, position: int, depth: int) -> tuple[dict[str, Any], int]:
    read: dict[str, Any] = {}
    while (position := _skip(text, position)) < len(text):
        if text[position] == "}":
            return read, position + 1
        key, position = _read_string(text, position)
        position = _expect(text, position, ":")
        if key in read:
            raise Malformed(f"the key {key!r} twice")
        read[key], position = read_value(text, position, depth + 1)
        position = _after_element(text, position, "}")
    raise Malformed("an object without an end")


def _read_list(text: str, position: int, depth: int) -> tuple[list[Any], int]:
    read: list[Any] = []
    while (position := _skip(text, position)) < len(text):
        if text[position] == "]":
            return read, position + 1
        value, position = read_value(text, position, depth + 1)
        read.append(value)
        position = _after_element(text, position, "]")
    raise Malformed("a list without an end")


def _read_string(text: str, position: int) -> tuple[str, int]:
    for quote, pattern in _STRINGS.items():
        if text.startswith(quote, position):
            found = pattern.match(text, position)
            if found is None:
                raise Malformed("a string without an end")
            # What stands between triple quotes over several lines is meant as it looks.
            raw = len(quote) == 3 and "\n" in found[1]
            return (found[1] if raw else _unescape(found[1])), found.end()
    raise Malformed("expected a string")


def _read_scalar(text: str, position: int) -> tuple[Any, int]:
    found = _WORD.match(text, position)
    if found is None:
        raise Malformed("expected a value")
    if found[0].lower() in _CONSTANTS:
        return _CONSTANTS[found[0].lower()], found.end()
    try:
        return float(found[0]), found.end()
    except ValueError:
        raise Malformed(f"expected a value, not {found[0]!r}") from None


def _unescape(body: str) -> str:
    def one(found: re.Match[str]) -> str:
        escaped = found[1]
        if len(escaped) == 5:
            return chr(int(escaped[1:], 16))
        return _PLAIN.get(escaped, found[0])

    text = _ESCAPE.sub(one, body)
    # \ud83d\ude00 is one character in two halves.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _expect(text: str, position: int, mark: str) -> int:
    position = _skip(text, position)
    if not text.startswith(mark, position):
        raise Malformed(f"expected {mark!r}")
    return position + 1


def _after_element(text: str, position: int, end: str) -> int:
    position = _skip(text, position)
    if text.startswith(",", position):
        return position + 1
    if text.startswith(end, position):
        return position
    raise Malformed(f"expected ',' or {end!r}")
