"""Loading a candidate: what Python reads is read, and what cannot be is refused under its own name."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sandbox.guest.blame import blamed
from sandbox.guest.candidate import learnable_scalars, load
from sandbox.guest.components.kinds import KINDS
from sandbox.guest.job import Fault

ACTIVATION = KINDS["activation"]
GOOD = "import torch\n\n\ndef build():\n    return torch.nn.ReLU()\n"


def loaded(source: str | bytes) -> Any:
    return load(source.encode() if isinstance(source, str) else source, ACTIVATION)


def fault(source: str | bytes) -> Fault:
    with pytest.raises(Fault) as caught:
        loaded(source)()
    return caught.value


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(GOOD.encode(), id="plain"),
        pytest.param(b"\xef\xbb\xbf" + GOOD.encode(), id="byte order mark"),
        pytest.param(b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + GOOD.encode(), id="coding cookie"),
        pytest.param(GOOD.replace("\n", "\r\n").encode(), id="carriage returns"),
        pytest.param(GOOD.rstrip().encode(), id="no newline at the end"),
        pytest.param(b"#" * (256 * 1024 - len(GOOD) - 1) + b"\n" + GOOD.encode(), id="as long as allowed"),
    ],
)
def test_what_python_reads_is_read(source: bytes) -> None:
    assert isinstance(loaded(source)(), nn.ReLU)


@pytest.mark.parametrize(
    ("source", "check", "words"),
    [
        pytest.param(b"", "source", "empty", id="empty"),
        pytest.param(b" \n\t\n", "source", "empty", id="blank"),
        pytest.param(b"#" * (256 * 1024 + 1), "source", "262,145 bytes", id="too long"),
        pytest.param(b"x = 1\0", "source", "NUL", id="NUL byte"),
        pytest.param(b"# caf\xe9\n", "source", "decode", id="undecodable"),
        pytest.param(b"# -*- coding: klingon -*-\n", "source", "klingon", id="unknown encoding"),
        pytest.param(b"# -*- coding: rot13 -*-\n", "source", "decode", id="not a text encoding"),
        pytest.param(b"x = 1\ndef f(:\n", "syntax", "line 2", id="syntax, its line"),
        pytest.param(b"x = 1\ndef f(:\n", "syntax", "`def f(:`", id="syntax, its text"),
        pytest.param(b"(" * 5000, "syntax", "", id="nested too deeply"),
        pytest.param(b"import sklearn_not_here\n", "import", "`sklearn_not_here`", id="missing module"),
        pytest.param(b"\n\nimport sklearn_not_here\n", "import", "(line 3)", id="missing module, its line"),
        pytest.param(b"from math import tau_not_here\n", "import", "tau_not_here", id="missing name"),
        pytest.param(b"x = 1\ny = 1 / 0\n", "import", "ZeroDivisionError: division by zero (line 2)", id="raises"),
        pytest.param(b"import sys\nsys.exit(0)\n", "import", "SystemExit", id="exits"),
        pytest.param(b"x = 1\n", "build", "no `build`", id="no build"),
        pytest.param(b"build = 3\n", "build", "a int", id="build is not callable"),
        pytest.param(b"def build():\n    return None.x\n", "build", "(line 2)", id="build raises"),
        pytest.param(b"def build(width):\n    pass\n", "build", "missing 1 required", id="build wants arguments"),
        pytest.param(b"def build():\n    pass\n", "contract", "returned None", id="build returns nothing"),
        pytest.param(b"def build():\n    return abs\n", "contract", "a builtin_function", id="a function"),
        pytest.param(b"import torch\ndef build():\n    return torch.nn.ReLU\n", "contract", "call it", id="a class"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(source: bytes, check: str, words: str) -> None:
    found = fault(source)
    assert found.check == check
    assert words in found.detail


def test_an_exception_that_cannot_be_printed_is_still_described() -> None:
    source = "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\ndef build():\n    raise Odd\n"
    assert "Odd" in fault(source).detail


def test_the_line_named_is_the_candidates_own_and_not_that_of_the_library_below() -> None:
    source = "import torch\ndef build():\n    torch.zeros(2).view(3)\n"
    assert fault(source).detail.endswith("(line 3)")


def test_a_long_message_is_cut() -> None:
    assert len(fault("def build():\n    raise ValueError('x' * 100_000)\n").detail) < 500


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_limit_is_not_blamed_on_a_check(error: BaseException) -> None:
    with pytest.raises(type(error)), blamed("build", "build()"):
        raise error


def test_the_module_can_be_found_by_what_looks_for_it() -> None:
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom torch import nn\n"
        "@dataclass\nclass Setting:\n    slope: float = 0.1\n"
        "class Mine(nn.ReLU):\n    setting = Setting()\ndef build():\n    return Mine()\n"
    )
    component = loaded(source)()
    assert type(component).__module__ == "proposal"
    assert sys.modules["proposal"].__dict__["Mine"] is type(component)
    assert inspect.getsource(type(component)).startswith("class Mine(nn.ReLU):")


def test_our_own_future_imports_do_not_leak_into_the_candidate() -> None:
    build = loaded(f"def f(x: int):\n    pass\n{GOOD}seen = f.__annotations__\n")
    assert build() is not None
    assert sys.modules["proposal"].__dict__["seen"] == {"x": int}


def module_with(parameters: str) -> str:
    return (
        "import torch\nfrom torch import nn\nclass Mine(nn.Module):\n    def __init__(self):\n"
        f"        super().__init__()\n        {parameters}\ndef build():\n    return Mine()\n"
    )


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("self.p = nn.Parameter(torch.zeros(1_000_001))", "1,000,001 learnable parameters"),
        ("self.p = nn.ParameterList(torch.zeros(()) for _ in range(1001))", "1,001 learnable tensors"),
    ],
)
def test_too_many_learnable_parameters_break_the_contract(parameters: str, words: str) -> None:
    found = fault(module_with(parameters))
    assert found.check == "contract"
    assert words in found.detail


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ("self.p = nn.Parameter(torch.zeros(1_000_000))", 1_000_000),
        ("self.p = nn.ParameterList(torch.zeros(()) for _ in range(1000))", 1000),
        ("self.p = nn.Parameter(torch.zeros(2_000_000), requires_grad=False)", 0),
        ("self.p = nn.LazyLinear(1)", 0),
    ],
)
def test_parameters_within_the_limits_are_counted(parameters: str, count: int) -> None:
    assert learnable_scalars(loaded(module_with(parameters))()) == count


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode(errors="replace"))))
def test_no_bytes_do_anything_but_load_or_be_refused(source: bytes) -> None:
    found = None
    try:
        load(source, ACTIVATION, module="tried")
    except Fault as error:
        found = error
    assert found is None or (found.check in {"source", "syntax", "import", "build"} and found.detail)
