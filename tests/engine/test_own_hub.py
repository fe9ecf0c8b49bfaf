"""A data set of the Hugging Face Hub as a table: over HTTP, with the real client, from a server of these tests."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import OwnSuiteError
from engine.own.data import read_data
from engine.own.declared import declared

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def parquet(rows: int, start: int = 0) -> bytes:
    numbers = np.arange(start, start + rows)
    table = pa.table({"a": numbers * 0.5, "b": numbers % 7, "text": [f"t{n}" for n in numbers], "label": numbers % 2})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


FILES = {
    "README.md": b"hello",
    "data/train-00000-of-00002.parquet": parquet(50),
    "data/train-00001-of-00002.parquet": parquet(40, 50),
    "data/test-00000-of-00001.parquet": parquet(70),
}


class Hub(BaseHTTPRequestHandler):
    """The three answers that reading a data set needs."""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        name = path.rpartition("/resolve/")[2].partition("/")[2]
        if path.startswith("/api/datasets/team/clicks"):
            siblings = [{"rfilename": file, "size": len(content)} for file, content in FILES.items()]
            self._send(json.dumps({"id": "team/clicks", "sha": COMMIT, "siblings": siblings}).encode(), body=body)
        elif path.startswith("/datasets/team/clicks/resolve/") and name in FILES:
            self._send(FILES[name], body=body)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _send(self, content: bytes, *, body: bool) -> None:
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """A hub on loopback; called with another address, the client is pointed there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def point(address: str) -> None:
        for name, value in (
            ("ENDPOINT", address),
            ("HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"),
            ("HF_HUB_CACHE", str(tmp_path / "cache")),
        ):
            monkeypatch.setattr(huggingface_hub.constants, name, value)

    point(f"http://127.0.0.1:{server.server_port}")
    yield point
    server.shutdown()
    server.server_close()


def read(data: str = "hf:team/clicks", **more: str) -> object:
    lines = [f"{name} = {value!r}" for name, value in more.items() if name != "INPUTS"]
    source = f"""
NAME = "ranker"
DATA = {data!r}
TARGET = "label"
INPUTS = {more.get("INPUTS", "['a', 'b']")}
METRIC = "auc"
BUDGET = {{"steps": 8, "batch": 4, "learning_rate": 0.01}}
def make_model(component): ...
""" + "\n".join(lines)
    return read_data(declared(source.encode()), Path("/nowhere"))


def test_all_files_of_the_split_are_one_table() -> None:
    data = read()
    assert data.inputs[:, 0].tolist() == [n * 0.5 for n in range(90)]  # type: ignore[attr-defined]
    assert data.columns == ("a", "b")  # type: ignore[attr-defined]
    assert data.name == "clicks"  # type: ignore[attr-defined]


def test_another_split_is_declared() -> None:
    assert len(read(SPLIT="test").inputs) == 70  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "more", "told"),
    [
        ("hf:team/nothing", {}, "was not found (404)"),
        ("hf:team/clicks", {"SPLIT": "validation"}, "SPLIT = 'validation'; such files are: data/test-00000"),
        ("hf:team/clicks", {"INPUTS": "['a', 'text']"}, "column 'text' holds 't0'"),
        ("hf:team/clicks", {"INPUTS": "['z']"}, "no column 'z'; it has a, b, text, label"),
    ],
)
def test_what_is_wrong_is_said(data: str, more: dict[str, str], told: str) -> None:
    with pytest.raises(OwnSuiteError) as found:
        read(data, **more)
    assert told in str(found.value)


def test_without_a_network_the_advice_is_to_save_the_data(hub: Callable[[str], None]) -> None:
    hub("http://127.0.0.1:9")
    with pytest.raises(OwnSuiteError, match=r"could not be fetched.*save the data as \.npz or \.csv"):
        read()
