"""Several sandboxes on one machine, of one bot or of several: none reaches the jobs or the fork server of another."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.execution import Level, Outcome, Task
from sandbox.guest import landlock
from sandbox.guest.uids import JOB_UIDS, WIDE, Uids, claim_uids
from sandbox.process import ProcessSandbox

ROOT = Path(__file__).parents[2]
WARDEN = """
import os, signal, sys
from sandbox.guest.confine import Mode, boundary
from sandbox.guest.warden import Warden
warden = Warden(boundary(Mode.LANDLOCK, "/tmp"))
uid = warden.uid_for(1)
{then}
"""
A_JOB = "os.setresuid(uid, uid, uid); print('there', flush=True); sys.stdin.read(); sys.exit(7)"
A_FORK_SERVER = f"with warden.identity(uid): {A_JOB.partition('; ')[2]}"  # about to end a job, or to remove its files
ENDS_A_JOB = "with warden.identity(uid): os.kill(-1, signal.SIGKILL)"


def claimed(wide: range = WIDE) -> Uids:
    uids = claim_uids(wide)
    assert uids is not None
    return uids


def test_no_two_sandboxes_have_a_uid_in_common() -> None:
    many = [claimed() for _ in range(50)]
    try:
        firsts = sorted(uids.first for uids in many)
        assert all(after - before >= JOB_UIDS for before, after in itertools.pairwise(firsts))
    finally:
        for uids in many:
            uids.claim.close()


def test_uids_that_are_claimed_are_nobody_elses_until_their_holder_ends() -> None:
    one = range(0x7800_0000, 0x7800_0000 + JOB_UIDS, JOB_UIDS)
    with closing(claimed(one).claim), pytest.raises(OSError, match="no uids for jobs are free"):
        claim_uids(one)
    claimed(one).claim.close()


@pytest.fixture
def levels() -> None:
    if landlock.abi() < 6:
        pytest.skip(f"Landlock ABI {landlock.abi()}; the level needs 6")


@pytest.mark.parametrize("neighbour", [A_JOB, A_FORK_SERVER], ids=["job", "fork server"])
def test_what_ends_a_job_reaches_nothing_of_another_sandbox(levels: None, neighbour: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has uids for jobs")
    program = [sys.executable, "-c", WARDEN.format(then=neighbour)]
    with subprocess.Popen(
        program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "there\n"
        subprocess.run([sys.executable, "-c", WARDEN.format(then=ENDS_A_JOB)], cwd=ROOT, check=True)
        waiting.communicate()
    assert waiting.returncode == 7


@pytest.mark.long
def test_jobs_of_two_bots_that_end_all_the_time_do_not_end_each_other(levels: None, task: Callable[..., Task]) -> None:
    short = task("def main(job):\n    return Reply()", wall_seconds=120.0)
    long = task("import time\ntime.sleep(1)\ndef main(job):\n    return Reply()", wall_seconds=120.0)
    one, other = (ProcessSandbox(level=Level.LANDLOCK, parallel=2, actions="-") for _ in range(2))
    with closing(one), closing(other), ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(sandbox.run, each) for each in (long, short) * 6 for sandbox in (one, other)]
        assert {call.result().outcome for call in calls} == {Outcome.FINISHED}
