"""The sandboxes that every contract test runs on, opened once a session, and a short way to run a script in one."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.container import DockerSandbox, connect
from sandbox.errors import SandboxUnavailable
from sandbox.execution import Execution, Limits, Sandbox, Task
from sandbox.image import ensure_image
from sandbox.process import ProcessSandbox

PRELUDE = "from sandbox.guest.job import Fault, Reply\nimport numpy as np\n"
OWNER = f"tests-{os.getpid()}"
Run = Callable[..., Execution]


def script(source: str, **more: Any) -> Task:
    """A task for `source`; keyword arguments are those of Limits or of Task. Line 1 of `source` is line 3 inside."""
    limits = {name: more.pop(name) for name in tuple(more) if name in Limits.__dataclass_fields__}
    text = PRELUDE + textwrap.dedent(source)
    chosen = Limits(**({"wall_seconds": 20.0} | limits))
    return Task(action="script", kind="", source=text.encode(), limits=chosen, **more)


@pytest.fixture(scope="session")
def docker_image() -> str:
    """Skips without an engine, unless skipping is forbidden; builds the image when `make setup` has not."""
    try:
        client = connect(10)
    except SandboxUnavailable as error:
        if os.environ.get("CONJECTURE_TESTS_MUST_NOT_SKIP"):
            raise
        pytest.skip(str(error))
    name = ensure_image(client, packages=True, say=print)
    client.close()
    return name


@pytest.fixture(scope="session")
def docker_sandbox(docker_image: str) -> Iterator[Sandbox]:
    sandbox = DockerSandbox(parallel=2, owner=OWNER, actions="-")
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="session")
def process_sandbox() -> Iterator[Sandbox]:
    sandbox = ProcessSandbox(parallel=2, actions="-")
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="session")
def docker_trainer(docker_image: str) -> Iterator[Sandbox]:
    sandbox = DockerSandbox(parallel=2, owner=f"{OWNER}-trainer")
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="session")
def process_trainer() -> Iterator[Sandbox]:
    sandbox = ProcessSandbox(parallel=2)
    yield sandbox
    sandbox.close()


@pytest.fixture(params=["docker", "process"])
def trainer(request: pytest.FixtureRequest) -> Sandbox:
    """With the actions that the engine uses, besides scripts."""
    opened: Sandbox = request.getfixturevalue(f"{request.param}_trainer")
    return opened


@pytest.fixture(params=["docker", "process"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    opened: Sandbox = request.getfixturevalue(f"{request.param}_sandbox")
    return opened


@pytest.fixture(autouse=True)
def no_worker_is_lost(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A retry would hide a fork server that dies of something of ours, or of what a candidate did to it."""
    yield
    lost = [record.getMessage() for record in caplog.get_records("call") if record.name == "sandbox.pool"]
    assert not lost or "loses_workers" in request.fixturenames


@pytest.fixture
def loses_workers() -> None:
    """For a test that means to lose one."""


@pytest.fixture
def task() -> Callable[..., Task]:
    return script


@pytest.fixture
def run(sandbox: Sandbox) -> Run:
    return lambda source, **more: sandbox.run(script(source, **more))
