"""Recognising held-out inputs in what others published."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from wire_hub import WireHub, wire_hub

from engine.errors import TaskDataError
from engine.experiment.admission import admit
from engine.experiment.fetched import DATA, MIB, MODELS, Wanted
from engine.experiment.hub import HuggingFaceHub
from engine.experiment.overlap import HeldOut
from engine.experiment.split import held_back
from engine.experiment.task import Data, table

FACTS: dict[str, Any] = {"target": "y", "metrics": ("rmse",), "licence": "MIT", "provenance": "made here"}
NAMES = [
    f"{first}{second}" for first in ("ra", "be", "do", "mi", "ku", "so") for second in ("ton", "lak", "vex", "pim")
]


def sentence(number: int) -> str:
    chosen = np.random.default_rng(number).choice(NAMES, 30)
    return f"“{' '.join(chosen).capitalize()}”, they said."


@pytest.fixture(scope="module")
def texts() -> Data:
    return table({"text": [sentence(n) for n in range(90)]}, [float(n) for n in range(90)], name="texts", **FACTS)


@pytest.fixture(scope="module")
def numbers() -> Data:
    drawn = np.random.default_rng(3).normal(size=(90, 6)).round(5)
    columns = {f"x{n}": drawn[:, n].tolist() for n in range(6)}
    columns["x5"][::3] = [None] * 30
    return table(columns, [0.0] * 90, name="numbers", **FACTS)


def held(data: Data, place: int = 0) -> dict[str, Any]:
    return {name: column[held_back(data)[place]] for name, column in data.columns.items()}


WRITTEN = {
    "as it is": lambda text: [text, 1],
    "in other case, spaces and quotes": lambda text: ["'" + text.upper().replace(" ", "  \n").strip("“”") + "'"],
    "inside another": lambda text: [f"Rate this: {text} Thank you.", "5"],
    "in part": lambda text: [" ".join(text.split()[1:28])],
    "deep inside": lambda text: [{"a": [{"b": text}]}],
    "as a name": lambda text: [{text: 1}],
    "as bytes": lambda text: [text.encode()],
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_held_out_text_is_recognised(texts: Data, way: str) -> None:
    assert HeldOut(texts).holds(WRITTEN[way](held(texts)["text"]))


def test_other_texts_are_not_nor_is_what_a_script_gets_to_train_on(texts: Data) -> None:
    found, kept = HeldOut(texts), set(held_back(texts).tolist())
    training = [text for n, text in enumerate(texts.columns["text"]) if n not in kept]
    assert not any(found.holds([text]) for text in [*training, *map(sentence, range(1000, 1200)), "", None, 5])


def test_a_held_out_row_of_numbers_is_recognised_in_any_order_and_among_others(numbers: Data) -> None:
    row = [value for value in held(numbers).values() if value is not None]
    assert HeldOut(numbers).holds([*reversed(row), 17, "more"])
    assert HeldOut(numbers).holds([str(value) for value in row])
    assert not HeldOut(numbers).holds([*row[:-1], row[-1] + 0.1])


def test_rows_that_could_be_anybodys_cannot_be_checked() -> None:
    values = list(range(90))
    assert not HeldOut(table({"x": values}, values, name="few", **FACTS)).can_be_checked
    pictures = Data(columns={"images": np.zeros((90, 8, 8), np.uint8)}, targets=np.zeros(90), name="images", **FACTS)
    assert not HeldOut(pictures).can_be_checked


# --- in files of every kind

FORMATS = {
    "csv": lambda rows: pd.DataFrame(rows).to_csv(index=False).encode(),
    "tsv": lambda rows: pd.DataFrame(rows).to_csv(index=False, sep="\t").encode(),
    "jsonl": lambda rows: b"\n".join(json.dumps(row).encode() for row in rows),
    "json": lambda rows: json.dumps({"version": 1, "rows": rows}).encode(),
    "columns.json": lambda rows: json.dumps({name: [row[name] for row in rows] for name in rows[0]}).encode(),
    "lines.json": lambda rows: b"\n".join(json.dumps(row).encode() for row in rows),
    "semicolons.csv": lambda rows: pd.DataFrame(rows).to_csv(index=False, sep=";").encode("latin-1", "replace"),
    "parquet": lambda rows: _parquet(rows),
    "txt": lambda rows: "\n".join(word for row in rows for word in _wrapped(row)).encode(),
}


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


def _wrapped(row: dict[str, Any]) -> list[str]:
    words = " ".join(str(value) for value in row.values()).split()
    return [" ".join(words[start : start + 7]) for start in range(0, len(words), 7)]


@pytest.fixture
def hub() -> Iterator[WireHub]:
    with wire_hub() as served:
        yield served


def admitted(hub: WireHub, folder: Path, data: Data, what: str, files: dict[str, bytes]) -> tuple[str, ...]:
    hub.add("models" if what == MODELS else "datasets", "team/it").files.update(files)
    kept = HuggingFaceHub(folder / "hub", MIB, endpoint=hub.url)
    return tuple(admit(Wanted(what=what, repository="team/it"), data, kept, MIB, lambda: False).files)


CASES = [(kind, ending) for kind in ("texts", "numbers") for ending in FORMATS if (kind, ending) != ("numbers", "txt")]


@pytest.mark.parametrize(("kind", "ending"), CASES)
def test_a_data_set_that_holds_a_held_out_row_is_refused_and_not_kept(
    request: pytest.FixtureRequest, hub: WireHub, tmp_path: Path, kind: str, ending: str
) -> None:
    data: Data = request.getfixturevalue(kind)
    other = {name: sentence(7000) if kind == "texts" else 0.5 for name in data.columns}
    harmless = [{**other, "label": 3}] * 3
    assert admitted(hub, tmp_path, data, DATA, {f"a.{ending}": FORMATS[ending](harmless)})
    hub.repositories.clear()
    with pytest.raises(TaskDataError, match=rf"row \d+ of b\.{ending} is or holds an input") as refused:
        admitted(hub, tmp_path, data, DATA, {f"b.{ending}": FORMATS[ending]([*harmless, {**held(data), "label": 1}])})
    assert f"none of the 30 held-out rows of {data.name}" in str(refused.value)
    assert not list((tmp_path / "hub").rglob(f"b.{ending}"))


def test_a_data_set_that_calls_itself_a_model_is_refused_too(hub: WireHub, tmp_path: Path, texts: Data) -> None:
    with pytest.raises(TaskDataError, match="is or holds an input"):
        admitted(hub, tmp_path, texts, MODELS, {"vocab.json": json.dumps({held(texts)["text"]: 1}).encode()})


def test_where_it_cannot_be_checked_only_models_are_fetched(hub: WireHub, tmp_path: Path) -> None:
    pictures = Data(columns={"images": np.zeros((90, 8, 8), np.uint8)}, targets=np.zeros(90), name="images", **FACTS)
    with pytest.raises(TaskDataError, match="cannot be checked for images"):
        admitted(hub, tmp_path, pictures, DATA, {"a.csv": b"x\n1\n"})
    assert hub.downloads == []
    assert admitted(hub, tmp_path, pictures, MODELS, {"config.json": b"{}"}) == ("config.json",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"[" * 100_000),
        ("a.csv", b"a\0b"),
        ("a.parquet", b"PAR1 and more"),
        ("a.jsonl", b"not json"),
    ],
)
def test_what_cannot_be_looked_through_is_refused(
    hub: WireHub, tmp_path: Path, texts: Data, name: str, content: bytes
) -> None:
    with pytest.raises(TaskDataError, match=f"{name} cannot be"):
        admitted(hub, tmp_path, texts, DATA, {name: content})
