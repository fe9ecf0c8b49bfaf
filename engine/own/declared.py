"""What a team's file declares. The file is unreviewed code, so it is read here, never run."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import OwnSuiteError
from engine.own.metric import Metric, metric_named
from engine.suite import SUITES

MOST_SOURCE_BYTES = 256 << 10  # as the sandbox reads
MOST_STEPS, MOST_SEEDS, MOST_BATCH = 100_000, 32, 65_536
FEWEST_SEEDS = 2
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
LONGEST_NAME = 40
_DECLARATIONS: Mapping[str, type | tuple[type, ...]] = {
    "NAME": str,
    "DATA": str,
    "TARGET": str,
    "INPUTS": (str, list, tuple),
    "GROUP": str,
    "SPLIT": str,
    "STANDARDIZE": bool,
    "METRIC": str,
    "DIRECTION": str,
    "BUDGET": dict,
}
_REQUIRED = ("NAME", "DATA", "METRIC", "BUDGET")
_WORDS = {str: "text", bool: "True or False", dict: "a dict", (str, list, tuple): "text or a list of texts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Of one training. `seeds`: how many trainings a hypothesis gets, each with another start and order of rows."""

    steps: int
    batch: int
    learning_rate: float
    seeds: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What is written at the top of the file."""

    source: bytes
    name: str
    data: str
    metric: Metric
    budget: Budget
    target: str | None = None  # column, or array of an .npz; None: "y" in an .npz
    inputs: tuple[str, ...] = ()  # columns, or the array of an .npz; empty: all others, or "x"
    group: str | None = None  # rows with the same value stay on one side of the split; no input
    split: str = "train"  # of a Hugging Face data set
    standardize: bool = True  # a table's columns, and a regression's values


def declared(source: bytes) -> Declared:
    """Raises OwnSuiteError, which says which declaration is wrong, what was found and what would do."""
    found = _literals(_parsed(source))
    for name in _REQUIRED:
        if name not in found:
            near = [other for other in found if difflib.SequenceMatcher(None, other, name).ratio() > 0.7]
            hint = f" It has {near[0]}; did you mean that?" if near else f" Write it at the top, e.g. {_EXAMPLES[name]}"
            raise OwnSuiteError(f"The file declares no {name}.{hint}")
    inputs = found.get("INPUTS", ())
    inputs = (inputs,) if isinstance(inputs, str) else tuple(inputs)
    if not all(isinstance(column, str) for column in inputs):
        raise OwnSuiteError(f"INPUTS = {inputs!r} must be names of columns, as text.")
    return Declared(
        source=source,
        name=_name(found["NAME"]),
        data=found["DATA"],
        metric=metric_named(found["METRIC"], found.get("DIRECTION")),
        budget=_budget(found["BUDGET"]),
        target=found.get("TARGET"),
        inputs=inputs,
        group=found.get("GROUP"),
        split=found.get("SPLIT", "train"),
        standardize=found.get("STANDARDIZE", True),
    )


_EXAMPLES = {
    "NAME": 'NAME = "ranker"',
    "DATA": 'DATA = "clicks.csv"',
    "METRIC": 'METRIC = "log-loss"',
    "BUDGET": 'BUDGET = {"steps": 300, "batch": 64, "learning_rate": 1e-3, "seeds": 8}',
}


def _parsed(source: bytes) -> ast.Module:
    if len(source) > MOST_SOURCE_BYTES:
        raise OwnSuiteError(f"The file has {len(source):,} bytes; at most {MOST_SOURCE_BYTES:,} are read.")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise OwnSuiteError(f"Line {error.lineno} of the file does not parse: {error.msg}.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise OwnSuiteError(f"The file cannot be read as Python: {error}.") from error
    if "make_model" not in _bound(tree):
        raise OwnSuiteError(
            "The file has no make_model. Write `def make_model(component):` at the top level; it returns the model, "
            "with `component()` where an activation goes and `component(64)` where a normalizer of 64 features goes."
        )
    return tree


def _bound(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        for child in ast.walk(node) if isinstance(node, ast.Assign | ast.ImportFrom | ast.If | ast.Try) else ():
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                names.add(child.id)
            if isinstance(child, ast.alias):
                names.add(child.asname or child.name)
            if isinstance(child, ast.FunctionDef):
                names.add(child.name)
    return names


def _literals(tree: ast.Module) -> dict[str, Any]:
    """The declarations, by name; constants of other names are the file's own business."""
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names, value = [t.id for t in node.targets if isinstance(t, ast.Name)], node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            names, value = [node.target.id], node.value
        else:
            continue
        for name in set(names) & set(_DECLARATIONS):
            found[name] = _literal(name, value)
    return found


def _literal(name: str, node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise OwnSuiteError(
            f"{name} in line {node.lineno} must be written out as plain text, numbers, a list or a dict: the file is "
            f"read before anything of it runs. Found: {ast.unparse(node)[:80]}"
        ) from None
    wanted = _DECLARATIONS[name]
    if not isinstance(value, wanted):
        raise OwnSuiteError(f"{name} = {value!r} in line {node.lineno} must be {_WORDS[wanted]}.")
    return value


def _name(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise OwnSuiteError(
            f"NAME = {name!r} must be lower-case letters, digits and single hyphens, beginning with a letter, at most "
            f'{LONGEST_NAME} characters: it is what people write, as in "on our click-ranker".'
        )
    if name in SUITES or name.startswith("screen"):
        raise OwnSuiteError(f"NAME = {name!r} is taken: {', '.join(SUITES)} are suites of ours. Choose another name.")
    return name


def _budget(given: dict[Any, Any]) -> Budget:
    known = ("steps", "batch", "learning_rate", "seeds")
    for key in given:
        if key not in known:
            raise OwnSuiteError(f"BUDGET has {key!r}, which is not known. Expected: {', '.join(known)}.")
    for key in known[:3]:
        if key not in given:
            raise OwnSuiteError(f"BUDGET lacks {key!r}. For example: {_EXAMPLES['BUDGET']}")
    rate = given["learning_rate"]
    if type(rate) not in (int, float) or not 0 < rate <= 10:
        raise OwnSuiteError(f"BUDGET's learning_rate is {rate!r}; expected a number above 0, 10 at most.")
    return Budget(
        steps=_whole(given, "steps", 4, MOST_STEPS),
        batch=_whole(given, "batch", 1, MOST_BATCH),
        learning_rate=float(rate),
        seeds=_whole(given | {"seeds": given.get("seeds", 8)}, "seeds", FEWEST_SEEDS, MOST_SEEDS),
    )


def _whole(given: dict[Any, Any], key: str, low: int, high: int) -> int:
    value = given[key]
    if type(value) is not int or not low <= value <= high:
        raise OwnSuiteError(f"BUDGET's {key} is {value!r}; expected a whole number from {low} to {high:,}.")
    return value
