"""Turn the bytes of a candidate into its `build`, as Python itself would import the file.

Named checks that a candidate can break here, all as `Fault`:

source      empty, larger than 256 KiB, a NUL byte, bytes that its encoding cannot decode
syntax      does not parse; says the line and quotes it
import      imports what is not there (named), or raises while it is imported
build       has no `build`, it is not callable, or it raises
contract    `build` returns something else than its kind promises, or too many learnable parameters
"""

from __future__ import annotations

import importlib.util
import inspect
import io
import linecache
import sys
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy

from .blame import blamed, described, line_of_candidate
from .components.kind import Kind
from .job import Fault

MODULE = "proposal"  # its file is blame.CANDIDATE_FILE, by which lines of the candidate are recognised
MAX_SOURCE_BYTES = 256 << 10
MAX_LEARNABLE_TENSORS = 1000
MAX_LEARNABLE_SCALARS = 1_000_000


def load(source: bytes, kind: Kind, *, module: str = MODULE) -> Callable[..., Any]:
    """Run `source` as a module named `module` and return its `build`, wrapped: what it returns obeys the kind's type.

    Replaces `sys.modules[module]`, as an import would: pickling, dataclasses and `inspect` need it there. Raises
    `Fault`; so does every call of what is returned.
    """
    loaded = run_module(source, module)
    build = loaded.__dict__.get("build")
    if build is None:
        raise Fault("build", f"it has no `build` at module level; its entry point must be `{kind.entry}`")
    if not callable(build):
        raise Fault("build", f"its `build` is {_a(build)}, not something that can be called as `{kind.entry}`")

    def checked(*arguments: Any) -> Any:
        with blamed("build", kind.entry):
            component = build(*arguments)
        _keep_contract(component, kind)
        return component

    return checked


def run_module(source: bytes, name: str) -> types.ModuleType:
    """Run `source` as a module of this name and put it into `sys.modules`. Raises `Fault`: source, syntax, import."""
    text = _decode(source)
    filename = f"{name}.py"
    code = _compile(source, text, filename)
    loaded = types.ModuleType(name)
    loaded.__file__ = filename
    loaded.__spec__ = ModuleSpec(name, None, origin=filename)  # `find_spec`, which torch calls, refuses None
    linecache.cache[filename] = (len(source), None, io.StringIO(text).readlines(), filename)
    sys.modules[name] = loaded
    _execute(code, loaded)
    return loaded


def learnable_scalars(component: Any) -> int:
    """How many scalars of the component are trained; those of a lazy module only after its first call.

    Raises `Fault` (contract) when there are too many.
    """
    if not isinstance(component, nn.Module):
        return 0
    sizes = [p.numel() for p in component.parameters() if p.requires_grad and not is_lazy(p)]
    if len(sizes) > MAX_LEARNABLE_TENSORS:
        raise Fault(
            "contract", f"it has {len(sizes):,} learnable tensors; at most {MAX_LEARNABLE_TENSORS:,} are allowed"
        )
    if sum(sizes) > MAX_LEARNABLE_SCALARS:
        found = f"it has {sum(sizes):,} learnable parameters"
        raise Fault("contract", f"{found}; at most {MAX_LEARNABLE_SCALARS:,} are allowed")
    return sum(sizes)


def _decode(source: bytes) -> str:
    if not source.strip():
        raise Fault("source", "it is empty")
    if len(source) > MAX_SOURCE_BYTES:
        raise Fault("source", f"it is {len(source):,} bytes long; at most {MAX_SOURCE_BYTES:,} are read")
    if b"\0" in source:
        raise Fault("source", f"byte {source.index(0)} is NUL, which no Python file may contain")
    try:
        return importlib.util.decode_source(source)
    except (
        SyntaxError,
        UnicodeError,
        LookupError,
    ) as error:  # an unknown coding cookie, or bytes that it cannot decode
        raise Fault("source", f"it cannot be decoded as Python text: {described(error)}") from error


def _compile(source: bytes, text: str, filename: str) -> types.CodeType:
    try:
        return compile(source, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        lines = text.split("\n")
        number = error.lineno or 0
        quoted = f": `{lines[number - 1].strip()[:120]}`" if 0 < number <= len(lines) else ""
        raise Fault("syntax", f"line {number} does not parse ({error.msg}){quoted}") from error
    except (ValueError, RecursionError, OverflowError, MemoryError) as error:
        raise Fault("syntax", f"it cannot be compiled: {described(error)}") from error


def _execute(code: types.CodeType, module: types.ModuleType) -> None:
    with blamed("import", "running the module"):
        try:
            exec(code, module.__dict__)
        except ModuleNotFoundError as error:
            where = f" (line {line})" if (line := line_of_candidate(error)) else ""
            raise Fault(
                "import",
                f"it imports `{error.name}`, which is not installed inside; use `math` and `torch` only{where}",
            ) from error


def _keep_contract(component: Any, kind: Kind) -> None:
    if not isinstance(component, kind.returns):
        hint = " itself, not an instance of it: call it" if inspect.isclass(component) else ""
        expected = f"a {kind.returns.__module__}.{kind.returns.__qualname__}"
        if kind.returns.__name__ == "Callable":
            expected, hint = "a function", ""
        raise Fault("contract", f"{kind.entry} returned {_a(component)}{hint}; it must return {expected}")
    learnable_scalars(component)


def _a(thing: object) -> str:
    if thing is None:
        return "None"
    return f"the class {thing.__name__}" if inspect.isclass(thing) else f"a {type(thing).__name__}"
