"""The strongest sandbox that works, and never a weaker one than was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.choose import open_sandbox
from sandbox.diagnosis import diagnose
from sandbox.errors import SandboxUnavailable
from sandbox.execution import Level


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")


def test_auto_takes_docker_where_an_engine_answers(docker_image: str) -> None:
    sandbox = open_sandbox("auto", parallel=1, owner="tests-choose", actions="-")
    sandbox.close()
    assert sandbox.level is Level.DOCKER


def test_auto_takes_namespaces_where_there_is_no_engine(no_engine: None) -> None:
    sandbox = open_sandbox("auto", parallel=1, actions="-")
    sandbox.close()
    assert sandbox.level is Level.NAMESPACES


def test_docker_never_degrades(no_engine: None) -> None:
    with pytest.raises(SandboxUnavailable, match="no Docker engine answers"):
        open_sandbox("docker", actions="-")


def test_an_unknown_preference_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="'dokcer'; expected one of auto, docker, process, unsafe"):
        open_sandbox("dokcer")


def test_the_diagnosis_looks_at_everything_and_advises_where_something_is_amiss(no_engine: None) -> None:
    facts = {fact.name: fact for fact in diagnose()}
    assert set(facts) == {"docker", "namespaces", "landlock", "seccomp"}
    assert not facts["docker"].works
    assert all(fact.works or fact.advice for fact in facts.values())


def test_the_diagnosis_of_an_engine_tells_its_image_and_runtimes(docker_image: str) -> None:
    facts = {fact.name: fact for fact in diagnose()}
    assert facts["docker"].works
    assert facts["sandbox image"].works
    assert facts["experiment image"].works or facts["experiment image"].advice
    assert "runc" in facts["gvisor"].detail
