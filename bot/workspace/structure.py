"""Walks a JSON value along rules and says, in Slack's words, what is wrong and where.

A rule says what a value may be; a shape maps the fields of an object to rules; `required(rule)` marks a field that must
be there. `faults(value, rule, pointer)` yields sentences such as
`must be less than 3001 characters [json-pointer:/blocks/0/text/text]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Any value at all."""

    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class String(Rule):
    """A string of `least` to `most` characters."""

    most: int
    least: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer(Rule):
    """A whole number from `least` to `most`."""

    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Rule):
    """A number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Rule):
    """True or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Rule):
    """One of these strings."""

    of: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Object(Rule):
    """An object with these fields and no other; `one_of` are fields of which at least one must be there."""

    fields: Mapping[str, Rule]
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed(Rule):
    """An object whose `type` chooses its shape."""

    kinds: Mapping[str, Object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Many(Rule):
    """A list of `least` to `most` values, each along `each`."""

    each: Rule
    most: int
    least: int = 1


def required(rule: Rule) -> Rule:
    """The same rule for a field that must be there."""
    return replace(rule, required=True)


def at(sentence: str, pointer: str) -> str:
    """A fault with its place, as Slack writes it."""
    return f"{sentence} [json-pointer:{pointer}]"


def faults(value: Any, rule: Rule, pointer: str) -> Iterator[str]:
    """What is wrong with `value` at `pointer`; nothing when it follows `rule`."""
    match rule:
        case String():
            yield from _string(value, rule, pointer)
        case Integer() | Number():
            yield from _number(value, rule, pointer)
        case Flag() if not isinstance(value, bool):
            yield at("must be a boolean", pointer)
        case Choice() if value not in rule.of:
            yield at("must be a valid enum value", pointer)
        case Many():
            yield from _many(value, rule, pointer)
        case Object():
            yield from _object(value, rule, pointer)
        case Typed():
            yield from _typed(value, rule, pointer)


def _string(value: Any, rule: String, pointer: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield at("must be a string", pointer)
    elif len(value) < rule.least:
        yield at(f"must be more than {rule.least - 1} characters", pointer)
    elif len(value) > rule.most:
        yield at(f"must be less than {rule.most + 1} characters", pointer)


def _number(value: Any, rule: Rule, pointer: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield at("must be a number", pointer)
    elif isinstance(rule, Integer) and not (isinstance(value, int) and rule.least <= value <= rule.most):
        yield at(f"must be a whole number from {rule.least} to {rule.most}", pointer)


def _many(value: Any, rule: Many, pointer: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield at("must be an array", pointer)
        return
    if len(value) > rule.most:
        yield at(f"no more than {rule.most} items allowed", pointer)
    if len(value) < rule.least:
        yield at(f"no fewer than {rule.least} items allowed", pointer)
    for index, item in enumerate(value):
        yield from faults(item, rule.each, f"{pointer}/{index}")


def _object(value: Any, rule: Object, pointer: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield at("must be an object", pointer)
        return
    for name, field in rule.fields.items():
        if name in value:
            yield from faults(value[name], field, f"{pointer}/{name}")
        elif field.required:
            yield at(f"missing required field: {name}", pointer)
    for name in value.keys() - rule.fields.keys():
        yield at(f"invalid additional property: {name}", pointer)
    if rule.one_of and not value.keys() & set(rule.one_of):
        yield at(f"missing required field: {rule.one_of[0]}", pointer)


def _typed(value: Any, rule: Typed, pointer: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield at("must be an object", pointer)
    elif "type" not in value:
        yield at("missing required field: type", pointer)
    elif not isinstance(value["type"], str) or value["type"] not in rule.kinds:
        yield at(f"unsupported type: {value['type']}", f"{pointer}/type")
    else:
        shape = rule.kinds[value["type"]]
        fields = {"type": Rule(), **shape.fields}
        yield from _object(value, replace(shape, fields=fields), pointer)
