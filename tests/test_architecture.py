"""The rules of the layout, enforced: who may import whom, and how large a thing may grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["bot", "storage", "engine", "sandbox"]
GUEST_MAY_IMPORT = {"numpy", "torch"}
VAGUE = {"manager", "helper", "helpers", "util", "utils", "common", "base", "core", "service", "handler"}
VAGUE |= {"processor", "misc"}


def source_files() -> list[Path]:
    return sorted(path for package in ORDER for path in (ROOT / package).rglob("*.py"))


def imported_packages(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", source_files(), ids=name)
def test_a_package_imports_only_itself_and_what_is_to_its_right(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    forbidden = set(ORDER[: ORDER.index(package)])
    imports = imported_packages(path)
    wrong = [f"line {line}: {module}" for line, module in imports if module.split(".")[0] in forbidden]
    assert not wrong


@pytest.mark.parametrize("path", [p for p in source_files() if "guest" in p.parts], ids=name)
def test_the_guest_imports_only_stdlib_numpy_torch_and_itself_relatively(path: Path) -> None:
    import sys

    allowed = set(sys.stdlib_module_names) | GUEST_MAY_IMPORT
    wrong = [f"line {line}: {m}" for line, m in imported_packages(path) if m.split(".")[0] not in allowed]
    assert not wrong


@pytest.mark.parametrize("path", [p for p in source_files() if "workspace" in p.parts], ids=name)
def test_the_local_workspace_imports_nothing_of_ours_but_itself(path: Path) -> None:
    wrong = [
        f"line {line}: {module}"
        for line, module in imported_packages(path)
        if module.split(".")[0] in ORDER and not module.startswith("bot.workspace")
    ]
    assert not wrong


def test_only_jobs_imports_dbos() -> None:
    users = [name(p) for p in source_files() if any(m.split(".")[0] == "dbos" for _, m in imported_packages(p))]
    assert users in ([], ["bot/jobs.py"])


@pytest.mark.parametrize("path", source_files(), ids=name)
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", source_files(), ids=name)
def test_no_function_is_longer_than_50_lines(path: Path) -> None:
    functions = [
        n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [
        f"{f.name} ({f.end_lineno - f.lineno + 1})" for f in functions if f.end_lineno and f.end_lineno - f.lineno >= 50
    ]
    assert not long


@pytest.mark.parametrize("path", source_files(), ids=name)
def test_file_names_say_what_is_in_them(path: Path) -> None:
    assert path.stem not in VAGUE


def test_init_files_hold_a_docstring_only() -> None:
    for path in source_files():
        if path.name == "__init__.py":
            body = ast.parse(path.read_text()).body
            assert all(isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) for n in body), name(path)


def test_tests_have_no_init_files() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
