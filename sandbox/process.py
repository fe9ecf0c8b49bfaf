"""The sandbox for machines without Docker: the same fork server in namespaces of its own, made without privileges."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.errors import SandboxBroken, SandboxUnavailable
from sandbox.execution import Array, Execution, Level, Task
from sandbox.guest.confine import Mode
from sandbox.inspection import refuse_if_open
from sandbox.pool import JOBS_PER_WORKER, Pool
from sandbox.worker import WorkerLost

GUEST = Path(__file__).parent / "guest"
ACTIONS = "sandbox.guest.actions"
FORK_SERVER = "sandbox.guest.__main__"
INSIDE = "/opt/conjecture"
# What the guest imports: torch and what torch needs. Each is looked up, since they may lie in several places.
PACKAGES = ("torch", "numpy", "typing_extensions", "sympy", "mpmath", "networkx", "jinja2", "markupsafe", "fsspec")
LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # cleared again before the first job
KEPT_ERRORS = 4 << 10
END_SECONDS = 5.0
ROOM = "Look for free space below TMPDIR, memory and processes."

MODES = {Level.NAMESPACES: Mode.NAMESPACES, Level.LANDLOCK: Mode.LANDLOCK, Level.UNSAFE: Mode.UNSAFE}


class ProcessSandbox:
    """One fork server of `parallel` slots in namespaces; at the weaker levels `parallel` servers of one slot each."""

    def __init__(
        self,
        *,
        level: Level = Level.NAMESPACES,
        parallel: int | None = None,
        actions: str = ACTIONS,
        jobs_per_worker: int = JOBS_PER_WORKER,
    ) -> None:
        """Raises SandboxUnavailable when this machine does not offer `level`, or an attempt to escape succeeds."""
        self._level = level
        self._parallel = parallel or os.cpu_count() or 1
        try:
            self._home = Path(tempfile.mkdtemp(prefix="conjecture-sandbox-"))
        except OSError as error:
            raise SandboxUnavailable(f"the sandbox needs a folder of its own: {error}. {ROOM}") from error
        mode, home = MODES[level], self._home
        together = mode is Mode.NAMESPACES
        self._pool = Pool(
            lambda: _started(mode, home, actions),
            level=level,
            workers=1 if together else self._parallel,
            slots=self._parallel if together else 1,
            jobs_per_worker=jobs_per_worker,
        )
        try:
            self._torch_version = self._pool.start()["torch"]
            if level is not Level.UNSAFE:
                refuse_if_open(self._pool)
        except (WorkerLost, SandboxBroken) as error:
            self.close()
            raise SandboxUnavailable(f"no sandbox of level {level} on this machine: {error}") from error
        except SandboxUnavailable:
            self.close()
            raise

    @property
    def level(self) -> Level:
        return self._level

    @property
    def parallel(self) -> int:
        return self._parallel

    @property
    def torch_version(self) -> str:
        return self._torch_version

    def shelve(self, name: str, arrays: Mapping[str, Array]) -> None:
        self._pool.shelve(name, arrays)

    def run(self, task: Task) -> Execution:
        return self._pool.run(task)

    def kill(self, tag: str) -> None:
        self._pool.kill(tag)

    def close(self) -> None:
        self._pool.close()
        shutil.rmtree(self._home, ignore_errors=True)


def _started(mode: Mode, home: Path, actions: str) -> ProcessChannel:
    """Raises SandboxBroken where this machine has no room, memory or process left for one."""
    try:
        return ProcessChannel(command(mode, home, FORK_SERVER, actions))
    except OSError as error:
        raise SandboxBroken(f"a fork server could not be started: {error}. {ROOM}") from error


class ProcessChannel:
    """A child process: frames on its stdin and stdout."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._in, self._out, self._err = self._process.stdin, self._process.stdout, self._process.stderr
        self._words = bytearray()
        self._closing = threading.Lock()
        self._listener = threading.Thread(target=self._listen, name="sandbox-errors", daemon=True)
        self._listener.start()

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while len(view):
            view = view[os.write(self._in.fileno(), view) :]

    def receive(self, size: int) -> bytes:
        return os.read(self._out.fileno(), size)

    def last_words(self) -> str:
        self._listener.join(END_SECONDS)
        words = self._words.decode(errors="replace").strip()
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(END_SECONDS)
            ended = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
            words += f"{'; ' if words else ''}{ended}"
        return words

    def close(self) -> None:
        with self._closing:
            # The end of its stdin tells the fork server to end its jobs and itself; SIGKILL is for one that hangs.
            with contextlib.suppress(OSError):
                self._in.close()
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _listen(self) -> None:
        with self._err:
            while part := os.read(self._err.fileno(), 4096):
                self._words += part
                del self._words[:-KEPT_ERRORS]


def command(mode: Mode, home: Path, module: str, *arguments: str, packages: Sequence[str] = PACKAGES) -> list[str]:
    """The command that starts `module` with MODE, `arguments` and the root for scratch directories, and with `packages`
    to import. In namespaces it first builds its view, from code outside of it."""
    python = os.path.realpath(sys.executable)
    sites = site_directories(packages)
    if mode is Mode.NAMESPACES:
        inside = [f"{INSIDE}/site{number}" for number in range(len(sites))]
        plan = {
            "binds": [*binds(python, sites, inside), (str(_code(home)), f"{INSIDE}/code")],
            "command": boot(python, [f"{INSIDE}/code", *inside], module, mode, *arguments, "/tmp"),
            "environment": ENVIRONMENT,
        }
        return boot(python, [str(_code(home))], "sandbox.guest.namespaces", json.dumps(plan))
    scratch = home / "jobs"
    scratch.mkdir(exist_ok=True)
    if os.geteuid() == 0:  # jobs then have uids of their own; names are random, and Landlock hides the neighbours
        home.chmod(0o711)
        scratch.chmod(0o1777)
    return boot(python, [str(_code(home)), *sites], module, mode, *arguments, str(scratch))


def namespaces_refused() -> str | None:
    """Why this user cannot have namespaces on this machine; None when a view can be built and entered."""
    python = os.path.realpath(sys.executable)
    plan = {"binds": binds(python, [], []), "command": [python, "-I", "-S", "-c", "pass"], "environment": {}}
    with tempfile.TemporaryDirectory(prefix="conjecture-sandbox-") as home:
        arguments = boot(python, [str(_code(Path(home)))], "sandbox.guest.namespaces", json.dumps(plan))
        done = subprocess.run(arguments, capture_output=True, text=True, cwd="/", env={}, check=False)
    if done.returncode == 0:
        return None
    return done.stderr.strip().rpartition("\n")[2] or f"the attempt ended with status {done.returncode}"


def boot(python: str, path: Sequence[str], module: str, *arguments: str) -> list[str]:
    """Python without site, environment or current directory in its path: just its own library and `path`."""
    program = f"import sys; sys.path[:0] = {list(path)!r}; from {module} import main; main(sys.argv[1:])"
    return [python, "-I", "-S", "-B", "-c", program, *arguments]


def _code(home: Path) -> Path:
    """A copy of the guest and of nothing else: what lies beside it (settings, journals) must not be in reach."""
    code = home / "code"
    if not code.exists():
        whole = Path(tempfile.mkdtemp(dir=home))  # a copy that was cut off must not pass for one
        shutil.copytree(GUEST, whole / "sandbox" / "guest", ignore=shutil.ignore_patterns("__pycache__"))
        whole.chmod(0o755)
        whole.rename(code)
    return code


def site_directories(packages: Sequence[str] = PACKAGES) -> list[str]:
    """Where those of `packages` that are there are installed. Raises SandboxUnavailable without torch."""
    found = []
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            place = Path(spec.origin).parent
            found.append(str(place.parent if spec.submodule_search_locations is not None else place))
    if not found:
        raise SandboxUnavailable("torch is not installed beside this program; run `make setup`")
    return list(dict.fromkeys(found))


def binds(python: str, sites: Sequence[str], inside: Sequence[str]) -> list[tuple[str, str]]:
    """Sources outside and targets inside: the interpreter, its library, shared libraries, packages, the guest."""
    own = [os.path.join(sys.base_prefix, "lib"), python]
    wanted = [*LIBRARIES, *own, "/etc/ld.so.cache"]
    kept: list[str] = []
    for path in wanted:
        beneath = any(path == other or path.startswith(other + "/") for other in kept)
        if os.path.exists(path) and not beneath:
            kept.append(path)
    return [(path, path) for path in kept] + list(zip(sites, inside, strict=True))
