"""Scripts without Docker and without privileges: what a user may do with files and processes, a script may not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.execution import Level
from sandbox.guest import landlock
from sandbox.process import site_directories

ROOT = Path(__file__).parents[2]
NOBODY = 65534

# Runs as a user without privileges: opens the level in argv, prints one line of JSON a script.
SUITE = """
import json, os, sys, tempfile
from sandbox.execution import Level
from sandbox.workspace import Expected, Run, RunLimits
from sandbox.workspace_sandbox import with_processes
level, own = Level(sys.argv[1]), os.getpid()
secret = tempfile.NamedTemporaryFile()
secret.write(b"held-out labels")
secret.flush()
sandbox = with_processes(level=level)
scripts = {
    "honest":
        "import numpy as np\\nnp.save('predictions.npy', np.ones(3))\\nopen('x', 'w').write(open('inputs/d').read())",
    "reads a file of its user": f"open({secret.name!r})",
    "changes its inputs": "import os\\nos.chmod('inputs/d', 0o600)\\nopen('inputs/d', 'w')",
    "signals its user's processes": f"import os\\nos.kill({own}, 0)",
    "opens a socket": "import socket\\nsocket.socket(socket.AF_INET)",
    "makes a namespace": "import ctypes\\nif ctypes.CDLL(None).unshare(0x10000000): raise OSError('refused')",
    "puts a link in the place of its workspace":
        f"import os\\nos.rename('../work', '../x')\\nos.symlink({os.path.dirname(secret.name)!r}, '../work')",
    "leaves a daemon": "import os, time\\nif not os.fork():\\n    os.setsid(); time.sleep(600)\\nprint('left')",
    "fills the disk": "while True: open('x', 'ab').write(bytes(1 << 20))",
    "fork bomb": "import os\\nwhile True:\\n    try: os.fork()\\n    except OSError: pass",
    "honest again": "import os\\nprint(sorted(os.listdir('.')), sorted(os.listdir(os.environ['TMPDIR'])))",
}
for name, source in scripts.items():
    expects = Expected(shape=(3,)) if name == "honest" else None
    limits = RunLimits(wall_seconds=5.0 if name == "fork bomb" else 100.0, disk_mib=8, processes=20)
    result = sandbox.run(Run(files={"main.py": source.encode()}, inputs={"d": b"data"}, expects=expects, limits=limits))
    files = {path: content.decode(errors="replace")[:100] for path, content in result.files.items()}
    print(json.dumps([name, result.outcome, result.check, result.reason, files, result.log]), flush=True)
sandbox.close()
"""


def user_python() -> tuple[list[str], str]:
    """What drops to a user without privileges, and a Python of this version that such a user reaches."""
    own = os.path.realpath(sys.executable)
    if os.geteuid() != 0:
        return [], own
    candidates = (own, shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin"))
    for python in filter(None, candidates):
        if all(parent.stat().st_mode & 0o001 for parent in Path(python).parents):
            return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"], python
    pytest.skip("no Python of this version that another user can run")


@pytest.fixture
def meeting_place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="in-reach-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.parametrize("level", [Level.NAMESPACES, Level.LANDLOCK])
def test_a_script_of_a_user_trains_and_is_refused_what_the_user_may(level: Level, meeting_place: Path) -> None:
    if level is Level.LANDLOCK and landlock.abi() < 6:
        pytest.skip(f"Landlock ABI {landlock.abi()}; the level needs 6")
    drop, python = user_python()
    folders = [str(ROOT), *site_directories()]
    if drop:  # bound to where every user can read, in a mount namespace that ends with the command
        bound = [meeting_place / str(number) for number in range(len(folders))]
        for folder in bound:
            folder.mkdir()
        mounts = "; ".join(f"mount --bind '{a}' '{b}'" for a, b in zip(folders, bound, strict=True))
        drop = ["unshare", "--mount", "sh", "-ec", f'{mounts}; exec "$@"', "sh", *drop]
        folders = [str(folder) for folder in bound]
    environment = {"PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    command = [*drop, python, "-c", SUITE, level]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    ended: dict[str, Any] = {name: rest for name, *rest in map(json.loads, done.stdout.splitlines())}

    assert ended["honest"][:4] == ["finished", None, None, {"x": "data"}]
    for attempt in ("reads a file of its user", "changes its inputs", "opens a socket", "makes a namespace"):
        assert ended[attempt][:2] == ["rejected", "error"], attempt
        assert "Error" in ended[attempt][2], attempt
    assert ended["signals its user's processes"][:2] == ["rejected", "error"]
    assert ended["puts a link in the place of its workspace"][3] == {}
    assert ended["leaves a daemon"][0] == "finished"
    assert ended["fills the disk"][:2] == ["killed", "disk limit"]
    assert ended["fork bomb"][0] == "killed"
    assert ended["honest again"][4] == "['inputs', 'main.py'] []\n"
