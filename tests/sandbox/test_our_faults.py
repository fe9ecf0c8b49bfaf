"""What our own world does wrong is an exception of ours, with advice: no job gets a verdict for it."""

from __future__ import annotations

import json
import shutil
import socketserver
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from engine.hypothesis import Hypothesis
from engine.request import Strategy
from engine.validate import validate
from sandbox.container import DockerSandbox
from sandbox.errors import SandboxBroken, SandboxError, SandboxUnavailable
from sandbox.execution import Task
from sandbox.image import image_name
from sandbox.process import ProcessSandbox

MakeTask = Callable[..., Task]
HANG_SECONDS = 5.0
ANSWERS = {  # of an engine that is there and has the image
    "/_ping": (200, "OK"),
    "/version": (200, {"ApiVersion": "1.41", "Version": "20.10"}),
    "/info": (200, {"MemTotal": 8 << 30}),
    "/containers/json": (200, []),
    f"/images/{image_name()}/json": (200, {"Id": "sha256:1"}),
}


class Engine(socketserver.ThreadingUnixStreamServer):
    """Speaks as much of Docker's API as the sandbox needs. A path without an answer hangs."""

    daemon_threads = True

    def __init__(self, path: Path, answers: dict[str, tuple[int, Any]]) -> None:
        super().__init__(str(path), _Requests)
        self.answers = ANSWERS | answers


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        known = next((name for name in self.server.answers if path.endswith(name)), None)
        if known is None:
            time.sleep(HANG_SECONDS)
            return
        status, body = self.server.answers[known]
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = answer

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Start an engine that gives these answers beside the usual ones."""
    running: list[Engine] = []
    with tempfile.TemporaryDirectory() as directory:  # a socket's path must be short

        def start(**answers: tuple[int, Any]) -> None:
            path = Path(directory) / "e.sock"
            running.append(Engine(path, {name.replace("_", "/"): answer for name, answer in answers.items()}))
            threading.Thread(target=running[0].serve_forever, daemon=True).start()
            monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")

        yield start
        for each in running:
            each.shutdown()
            each.server_close()


def test_a_full_disk_of_the_engine_is_a_fault_of_ours(engine: Callable[..., None]) -> None:
    engine(_containers_create=(500, {"message": "mkdir /var/lib/docker/overlay2/x: no space left on device"}))
    with pytest.raises(SandboxUnavailable, match="no space left on device"):
        DockerSandbox(parallel=1, actions="-", api_seconds=2)


def test_an_engine_that_hangs_when_it_is_asked_for_a_container_is_a_fault_of_ours(
    engine: Callable[..., None],
) -> None:
    engine()
    with pytest.raises(SandboxUnavailable, match=r"does not work: .*timed out"):
        DockerSandbox(parallel=1, actions="-", api_seconds=1)


def test_an_engine_of_something_else_is_a_fault_of_ours(engine: Callable[..., None]) -> None:
    engine(_info=(404, {"message": "page not found"}))
    with pytest.raises(SandboxUnavailable, match="page not found"):
        DockerSandbox(parallel=1, actions="-", api_seconds=2)


def test_without_room_for_its_files_the_ladder_is_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(SandboxUnavailable, match="free space"):
        ProcessSandbox(parallel=1, actions="-")


def test_a_worker_that_cannot_be_started_again_is_a_fault_of_ours(task: MakeTask, loses_workers: None) -> None:
    sandbox = ProcessSandbox(parallel=1, actions="-", jobs_per_worker=1)
    try:
        shutil.rmtree(sandbox._home)
        sandbox._home.touch()
        with pytest.raises(SandboxBroken, match="free space"):
            sandbox.run(task("def main(job):\n    return Reply()"))
        sandbox._home.unlink()
    finally:
        sandbox.close()


class _Broken:
    """A sandbox whose world has ended."""

    def run(self, task: Task) -> Any:
        raise SandboxBroken("the disk is full")


def test_no_hypothesis_is_rejected_for_a_fault_of_ours() -> None:
    hypothesis = Hypothesis(
        id="h",
        request_id="r",
        kind="activation",
        title="",
        claim="",
        rationale="",
        inspiration="",
        source=b"def build(): ...",
        strategy=Strategy.NOVEL,
        generator="a person",
    )
    with pytest.raises(SandboxError, match="the disk is full"):
        validate(hypothesis, _Broken())  # type: ignore[arg-type]
