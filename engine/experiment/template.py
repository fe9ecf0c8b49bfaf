"""An idea put into a task's prototype without a model: settings as they are named, or a component that lies ready.

Settings are the keyword arguments of the prototype's calls ("Ridge.alpha") and its constants ("PIXELS"). A component
goes into a small network (network.py) that takes the place of the prototype's estimator.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.experiment.steps import Ready
from sandbox.workspace import Workspace

NETWORK = Path(__file__).with_name("network.py")
ESTIMATORS = {
    "Ridge": "NetworkRegressor",
    "HistGradientBoostingRegressor": "NetworkRegressor",
    "LogisticRegression": "NetworkClassifier",
    "RandomForestClassifier": "NetworkClassifier",
}
_SETTING = re.compile(
    r"(?<![\w.])(?:(?P<owner>[A-Za-z_]\w*)\.)?(?P<name>[A-Za-z_]\w*)\s*(?:=|:=|->)\s*(?P<value>[^=].*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    owner: str | None  # the call that takes it; None: not said, or a constant
    name: str
    value: Any

    @property
    def in_words(self) -> str:
        return f"{self.owner + '.' if self.owner else ''}{self.name} = {self.value!r}"


def read_settings(texts: Iterable[str]) -> tuple[Setting, ...]:
    """Every "name = value" in texts, where the value is a literal of Python or one plain word."""
    found = []
    for text in texts:
        for line in re.split(r"[;\n]", text):
            match = _SETTING.search(line)
            if match and (value := _literal(match["value"])) is not None:
                found.append(Setting(owner=match["owner"], name=match["name"], value=value[0]))
    return tuple(found)


def _literal(text: str) -> tuple[Any] | None:
    """The longest beginning of a text that is a literal; at least its first word."""
    text = text.strip().strip("`").rstrip(".")
    words = text.split()
    for end in range(len(words), 0, -1):
        try:
            return (ast.literal_eval(" ".join(words[:end]).rstrip(",.`")),)
        except (ValueError, SyntaxError):
            continue
    plain = words[0].rstrip(",.`") if words else ""
    return (plain,) if re.fullmatch(r"[A-Za-z][\w-]*", plain) else None


def settings_of(source: str) -> dict[str, str]:
    """What can be set: "Ridge.alpha" or "PIXELS" -> its value as it is written."""
    tree = ast.parse(source)
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            found[node.targets[0].id] = ast.unparse(node.value)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (owner := _name(call.func)) and owner[0].isupper():
            found |= {f"{owner}.{k.arg}": ast.unparse(k.value) for k in call.keywords if k.arg and _is_literal(k.value)}
    return found


def with_settings(files: Workspace, entry: str, settings: Iterable[Setting]) -> tuple[dict[str, bytes], list[str]]:
    """The workspace with them set, and in words those that the script has no place for."""
    source, missing = files[entry].decode(), []
    for setting in settings:
        changed = _set(source, setting)
        if changed is None:
            missing.append(setting.in_words)
        else:
            source = changed
    return {**files, entry: source.encode()}, missing


def with_component(files: Workspace, entry: str, ready: Ready) -> dict[str, bytes] | None:
    """The workspace with a network in the estimator's place; None where the script has no estimator that is known."""
    source, places = files[entry].decode(), []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _name(node.func)) in ESTIMATORS:
            places.append((node, f"{ESTIMATORS[name]}(kind={ready.kind!r}, build=build, seed=seed)"))
    if not places:
        return None
    for node, text in sorted(places, key=lambda place: -place[0].lineno):
        source = _replaced(source, node, text)
    last = max(node.end_lineno or 0 for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    lines = source.splitlines(keepends=True)
    imports = "from component import build\nfrom network import NetworkClassifier, NetworkRegressor\n"
    source = "".join([*lines[:last], imports, *lines[last:]])
    return {
        **files,
        entry: source.encode(),
        "component.py": ready.code.encode(),
        "network.py": NETWORK.read_bytes(),
    }


def _set(source: str, setting: Setting) -> str | None:
    tree, value = ast.parse(source), repr(setting.value)
    places: list[ast.expr] = []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in calls:
        if setting.owner in (None, _name(call.func)):
            places += [keyword.value for keyword in call.keywords if keyword.arg == setting.name]
    if setting.owner is None:
        for node in tree.body:
            if isinstance(node, ast.Assign) and [_name(target) for target in node.targets] == [setting.name]:
                places.append(node.value)
    if len(places) == 1:
        return _replaced(source, places[0], value)
    owners = [call for call in calls if setting.owner and _name(call.func) == setting.owner]
    if not places and len(owners) == 1:
        whole = ast.get_source_segment(source, owners[0]) or ""
        inside = whole[:-1].rstrip()
        comma = {"(": "", ",": " "}.get(inside[-1], ", ")
        return _replaced(source, owners[0], f"{inside}{comma}{setting.name}={value})")
    return None


def _replaced(source: str, node: ast.expr, text: str) -> str:
    """ast counts columns in bytes."""
    lines = source.encode().splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: (node.end_lineno or 1) - 1])) + (node.end_col_offset or 0)
    whole = b"".join(lines)
    return (whole[:start] + text.encode() + whole[end:]).decode()


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def offered_settings(files: Workspace, entry: str) -> str:
    """For people: what can be set, with what it is now."""
    found: Mapping[str, str] = settings_of(files[entry].decode())
    return ", ".join(f"{name} (now {value})" for name, value in found.items()) or "nothing"
