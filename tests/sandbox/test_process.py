"""What only the sandbox without Docker promises: as root and as a user, its weaker levels, and how it ends."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.execution import Level, Outcome, Sandbox, Task
from sandbox.guest import landlock
from sandbox.guest.warden import holds_more, remove_tree
from sandbox.process import ProcessSandbox, site_directories

MakeTask = Callable[..., Task]
ROOT = Path(__file__).parents[2]
NOBODY = 65534

# Runs as a user without privileges: opens the level in argv, prints one line of JSON a job.
SUITE = """
import json, os, sys, tempfile
from sandbox.execution import Level, Limits, Task
from sandbox.process import ProcessSandbox
level, secret, own = sys.argv[1:]
owned = tempfile.NamedTemporaryFile()
before = os.stat(owned.name)
sandbox = ProcessSandbox(level=Level(level), parallel=1, actions="-")
jobs = {
    "honest": "def main(job):\\n    return Reply(values={'n': 1})",
    "reads a file of its user": f"def main(job):\\n    return Reply(values={{'read': open({secret!r}).read()}})",
    "signals its user's processes": f"import os\\nos.kill({own}, 0)",
    "signals everything": "import os\\nos.kill(-1, 15)\\ndef main(job):\\n    return Reply()",
    "limits its user's processes": f"import resource\\nresource.prlimit({own}, resource.RLIMIT_NOFILE, (0, 0))",
    "opens a socket": "import socket\\nsocket.socket(socket.AF_INET)",
    "opens a UNIX socket": "import socket\\nsocket.socket(socket.AF_UNIX)",
    "makes a namespace": "import ctypes\\nif ctypes.CDLL(None).unshare(0x10000000): raise OSError('refused')",
    "leaves a daemon": "import os, time\\nif not os.fork():\\n    os.setsid(); time.sleep(600)\\nos._exit(0)",
    "fork bomb": "import os\\nwhile True:\\n    try: os.fork()\\n    except OSError: pass",
    "takes a file's rights away": f"import os\\nos.chmod({owned.name!r}, 0)\\ndef main(job):\\n    return Reply()",
    "makes a file old": f"import os\\nos.utime({owned.name!r}, (0, 0))\\ndef main(job):\\n    return Reply()",
    "marks a file": f"import os\\nos.setxattr({owned.name!r}, 'user.x', b'')",
    "copies": "import shutil\\ndef main(job):\\n    shutil.copy2(open('x', 'w').name, 'y')\\n    return Reply()",
    "makes empty files": "n = 0\\nwhile True:\\n    n += 1\\n    open(str(n), 'w').close()",
    "nests": "import os\\nwhile True:\\n    os.mkdir('d')\\n    os.chdir('d')",
    "keeps files without a name":
        "import os, time\\nkept = []\\nwhile True:\\n    kept.append(open('x', 'wb', 0))\\n    os.unlink('x')\\n"
        "    kept[-1].write(bytes(1 << 23))\\n    time.sleep(0.05)",
    "runs away": "import os, time\\nfor _ in range(20):\\n    if not os.fork():\\n        os.setsid()\\n"
        "        while True:\\n            if os.fork(): os._exit(0)\\ntime.sleep(60)",
    "leaves files": "import os\\nos.makedirs('a/b')\\nos.chmod('a', 0)\\nopen('x', 'w').write('x')",
    "sleeps": "import time\\ntime.sleep(60)",
    "honest again": "def main(job):\\n    import os\\n    return Reply(values={'files': os.listdir('.')})",
}
for name, source in jobs.items():
    text = "from sandbox.guest.job import Reply\\n" + source
    limits = Limits(wall_seconds=100.0 if name.startswith(("makes empty", "keeps")) else 3.0, disk_mib=8)
    result = sandbox.run(Task(action="script", kind="", source=text.encode(), limits=limits))
    print(json.dumps([name, result.outcome, result.check, result.reason, dict(result.values)]), flush=True)
after = os.stat(owned.name)
print(json.dumps(["untouched", after.st_mode == before.st_mode and after.st_mtime == before.st_mtime]))
sandbox.close()
left = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        left += pid != str(os.getpid()) and str(sandbox._home) in open(f"/proc/{pid}/cmdline").read()
    except OSError:
        pass
print(json.dumps(["left", left]))
"""
REFUSED = (
    "reads a file of its user",
    "signals its user's processes",
    "limits its user's processes",
    "opens a socket",
    "opens a UNIX socket",
    "makes a namespace",
)


def unprivileged_python() -> str | None:
    """A Python of this version that any user can reach; the one that runs this test may lie in a private home."""
    for candidate in (
        os.path.realpath(sys.executable),
        shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin"),
    ):
        if candidate and all(parent.stat().st_mode & 0o001 for parent in Path(candidate).parents):
            return candidate
    return None


@pytest.fixture(scope="module", params=[Level.NAMESPACES, pytest.param(Level.LANDLOCK, marks=pytest.mark.long)])
def as_user(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each job of SUITE, run by a user without privileges."""
    level = request.param
    if level is Level.LANDLOCK and landlock.abi() < 6:
        pytest.skip(f"Landlock ABI {landlock.abi()}; the level needs 6")
    python, drop = os.path.realpath(sys.executable), []
    if os.geteuid() == 0:
        found = unprivileged_python()
        if found is None:
            pytest.skip("no Python of this version that another user can run")
        python, drop = found, ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    folders = [str(ROOT), *site_directories()]
    if drop:
        drop, folders = in_reach(folders, drop, request)
    secret = tmp_path_factory.mktemp("user") / "secret"
    secret.write_text("held-out labels")
    for path in (secret, *secret.parents):
        if path.owner() != "root" or path == secret:
            path.chmod(0o755)
    secret.parent.parent.chmod(0o755)
    environment = {"PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*drop, python, "-c", SUITE, level, str(secret), str(os.getpid())],
        capture_output=True,
        text=True,
        env=environment | {"PATH": os.environ["PATH"]},
        cwd="/",
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: rest for name, *rest in map(json.loads, done.stdout.splitlines())}


def in_reach(folders: list[str], then: list[str], request: pytest.FixtureRequest) -> tuple[list[str], list[str]]:
    """The command prefix and the folders by which another user reaches `folders`, wherever the checkout lies.

    They are bound into a folder that is open to all, in a mount namespace that ends with the command.
    """
    meeting_place = Path(tempfile.mkdtemp(prefix="in-reach-"))
    request.addfinalizer(lambda: shutil.rmtree(meeting_place))
    meeting_place.chmod(0o755)
    bound = [meeting_place / str(number) for number in range(len(folders))]
    for folder in bound:
        folder.mkdir()
    mounts = "; ".join(
        f"mount --bind {shlex.quote(a)} {shlex.quote(str(b))}" for a, b in zip(folders, bound, strict=True)
    )
    return ["unshare", "--mount", "sh", "-ec", f'{mounts}; exec "$@"', "sh", *then], [str(folder) for folder in bound]


def test_a_user_gets_the_same_results(as_user: dict[str, Any]) -> None:
    assert as_user["honest"] == ["finished", None, None, {"n": 1}]
    assert as_user["honest again"] == ["finished", None, None, {"files": []}]


@pytest.mark.parametrize("attempt", REFUSED)
def test_a_job_of_a_user_is_refused_what_the_user_may(as_user: dict[str, Any], attempt: str) -> None:
    outcome, check, reason, values = as_user[attempt]
    assert (outcome, check, values) == ("rejected", "error", {}), reason
    assert "Error" in reason


def test_a_job_of_a_user_cannot_hurt_what_else_the_user_runs(as_user: dict[str, Any]) -> None:
    assert as_user["signals everything"][0] in ("finished", "rejected", "killed")
    assert as_user["leaves a daemon"][:2] == ["killed", "died"]
    assert as_user["fork bomb"][0] == "killed"
    assert as_user["sleeps"][:2] == ["killed", "time limit"]


def test_a_job_of_a_user_changes_nothing_that_the_user_owns_and_may_copy_its_own(as_user: dict[str, Any]) -> None:
    assert as_user["untouched"] == [True]
    assert as_user["marks a file"][:2] == ["rejected", "error"]
    assert as_user["copies"][0] == "finished"


def test_a_job_of_a_user_fills_no_disk(as_user: dict[str, Any]) -> None:
    for way in ("makes empty files", "keeps files without a name"):
        assert as_user[way][:2] == ["killed", "disk limit"], as_user[way]
    assert as_user["nests"][0] == "killed"


def test_a_job_of_a_user_that_forks_and_ends_without_end_is_ended(as_user: dict[str, Any]) -> None:
    assert as_user["runs away"][0] == "killed"
    assert as_user["left"] == [0]


def test_many_or_deep_entries_are_more_than_a_job_may_have_and_looking_ends(tmp_path: Path) -> None:
    for number in range(128):
        (tmp_path / str(number)).touch()
    assert not holds_more(str(tmp_path), disk_mib=1)
    assert holds_more(str(tmp_path), disk_mib=1, total=(1 << 20) + 1)
    (tmp_path / "128").touch()
    assert holds_more(str(tmp_path), disk_mib=1)
    deep = tmp_path / "deep"
    deep.mkdir()
    here = os.getcwd()
    try:
        os.chdir(deep)
        for _ in range(20):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
    finally:
        os.chdir(here)
    assert holds_more(str(deep), disk_mib=1)
    assert remove_tree(str(deep))


def test_the_view_holds_libraries_and_nothing_else(process_sandbox: Sandbox, task: MakeTask) -> None:
    source = """
        import os
        def main(job):
            found = [path for path in job.options["paths"] if os.path.exists(path)]
            return Reply(values={"found": found})
        """
    paths = [
        "/home",
        "/var",
        "/usr/bin/sh",
        "/bin/sh",
        "/etc/hostname",
        "/run",
        "/boot",
        "/mnt",
        str(ROOT / "README.md"),
    ]
    result = process_sandbox.run(task(source, options={"paths": paths}))
    assert result.outcome is Outcome.FINISHED
    assert result.values == {"found": []}


def test_a_full_disk_of_one_job_is_not_that_of_another(process_sandbox: Sandbox, task: MakeTask) -> None:
    full = process_sandbox.run(task("open('x', 'wb').write(bytes(64 << 20))"))
    assert full.check == "disk limit"
    room = "def main(job):\n    open('x', 'wb').write(bytes(30 << 20))\n    return Reply()"
    assert process_sandbox.run(task(room)).outcome is Outcome.FINISHED


@pytest.fixture(scope="module")
def unsafe() -> Iterator[Sandbox]:
    sandbox = ProcessSandbox(level=Level.UNSAFE, parallel=1, actions="-")
    yield sandbox
    sandbox.close()


def test_without_isolation_every_result_says_so(unsafe: Sandbox, task: MakeTask) -> None:
    result = unsafe.run(task("def main(job):\n    return Reply()"))
    assert (result.outcome, result.level) == (Outcome.FINISHED, Level.UNSAFE)


def test_without_isolation_limits_and_cleaning_up_still_hold(unsafe: Sandbox, task: MakeTask) -> None:
    daemon = "import os, time\nif not os.fork():\n    os.setsid(); time.sleep(987)\nwhile True: pass"
    assert unsafe.run(task(daemon, wall_seconds=0.5)).check == "time limit"
    assert not _descendants()["sleeping"]


def test_the_fork_server_of_a_bot_that_was_killed_ends_by_itself() -> None:
    program = (
        "from sandbox.process import ProcessSandbox; import time\n"
        "s = ProcessSandbox(parallel=1, actions='-'); print('open', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as bot:
        assert bot.stdout is not None
        assert bot.stdout.readline() == "open\n"
        below = _below(bot.pid)
        assert len(below) >= 2
        bot.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(map(_runs, below)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in below if _runs(pid)]


def test_closing_leaves_no_process_and_no_file() -> None:
    sandbox = ProcessSandbox(parallel=1, actions="-")
    home, below = sandbox._home, _below(os.getpid())
    assert home.exists()
    sandbox.close()
    assert not home.exists()
    assert len(_below(os.getpid())) < len(below)


def test_a_level_that_the_machine_lacks_is_refused_and_not_weakened(tmp_path: Path) -> None:
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("no filter")
    program = (
        "import resource\n"
        "from sandbox.process import ProcessSandbox; from sandbox.errors import SandboxUnavailable\n"
        "from sandbox.guest import linux\n"
        "open('/proc/sys/user/max_user_namespaces', 'w').write('0')\n"
        "try: ProcessSandbox(parallel=1, actions='-')\n"
        "except SandboxUnavailable as error: print('refused', error)\n"
    )
    # In a user namespace of its own, where the limit can be set without touching the machine's.
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("refused no sandbox of level namespaces"), done.stdout + done.stderr


def _below(pid: int) -> list[int]:
    from sandbox.guest.processes import below

    return [entry.pid for entry in below(pid)]


def _runs(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def _descendants() -> dict[str, list[int]]:
    found = [pid for pid in _below(os.getpid()) if _slept(pid)]
    return {"sleeping": found}


def _slept(pid: int) -> bool:
    try:
        return "987" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
