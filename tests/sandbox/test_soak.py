"""Many jobs in one session, one in five hostile: nothing grows, nothing is left, honest numbers never change."""

from __future__ import annotations

import pytest
from soak import JOBS, Soaked, soak, table

GROWTH_MIB = 8.0  # of a process over thousands of jobs: 4 KiB a job


@pytest.mark.long
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", ["docker", "process"])
def test_a_long_session_with_hostile_jobs_leaves_no_trace(name: str, request: pytest.FixtureRequest) -> None:
    if name == "docker":
        request.getfixturevalue("docker_image")
    soaked = soak(name, JOBS)
    print("\n".join(table(soaked)))
    assert_no_trace(soaked)


def assert_no_trace(soaked: Soaked) -> None:
    assert soaked.changed == 0
    assert len(soaked.workers) == 1, "a worker was replaced: something could not be cleaned up"
    grown = soaked.grown
    for name in ("host_descriptors", "host_threads", "server_descriptors", "processes", "files", "containers"):
        assert grown[name] <= 0, (name, soaked.looks)
    for name in ("host_mib", "server_mib"):
        assert grown[name] <= GROWTH_MIB, (name, soaked.looks)
