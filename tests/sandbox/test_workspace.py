"""Whole scripts: what every sandbox for them promises, and what hostile ones try."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import signal
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest

from sandbox import owners
from sandbox.choose import open_workspaces
from sandbox.container import connect
from sandbox.errors import SandboxBroken, SandboxUnavailable
from sandbox.execution import Level, Outcome
from sandbox.guest.processes import below
from sandbox.image import Target, ensure_image
from sandbox.workspace import Expected, Numbers, Run, RunLimits, RunResult, WorkspaceSandbox, refused
from sandbox.workspace_sandbox import FreshSandbox, with_docker, with_processes

OWNER = f"tests-workspace-{os.getpid()}"
Try = Callable[..., RunResult]


@pytest.fixture(scope="module")
def docker_workspaces(docker_image: str) -> Iterator[WorkspaceSandbox]:
    client = connect(10)
    ensure_image(client, Target.EXPERIMENT, packages=True, say=print)
    client.close()
    sandbox = with_docker(parallel=2, owner=OWNER)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def namespaces_workspaces() -> Iterator[WorkspaceSandbox]:
    sandbox = with_processes(parallel=2)
    yield sandbox
    sandbox.close()


@pytest.fixture(params=["docker", "namespaces"])
def sandbox(request: pytest.FixtureRequest) -> WorkspaceSandbox:
    opened: WorkspaceSandbox = request.getfixturevalue(f"{request.param}_workspaces")
    return opened


def script(source: str, **more: Any) -> Run:
    """A run of `source` as main.py; keyword arguments are those of RunLimits or of Run."""
    limits = {name: more.pop(name) for name in tuple(more) if name in RunLimits.__dataclass_fields__}
    chosen = RunLimits(**({"wall_seconds": 200.0, "cores": 1, "memory_mib": 1024, "disk_mib": 64} | limits))
    files = {"main.py": textwrap.dedent(source).encode()} | more.pop("files", {})
    return Run(files=files, limits=chosen, **more)


@pytest.fixture
def attempt(sandbox: WorkspaceSandbox) -> Try:
    return lambda source, **more: sandbox.run(script(source, **more))


# honest scripts

SCIENCES = """
    import numpy as np, pandas as pd
    from sklearn.linear_model import LogisticRegression
    train, heldout = pd.read_csv("inputs/train.csv"), pd.read_csv("inputs/heldout.csv")
    model = LogisticRegression().fit(train[["a", "b"]], train["y"])
    np.save("predictions.npy", model.predict(heldout[["a", "b"]]))
    """
TORCH = """
    import numpy as np, torch
    read = lambda name: torch.tensor(np.loadtxt(f"inputs/{name}.csv", delimiter=",", skiprows=1), dtype=torch.float32)
    train, heldout = read("train"), read("heldout")
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(train[:, :2]), train[:, 2].long()).backward()
        optimizer.step()
    torch.save(net.state_dict(), "model.pt")
    np.save("predictions.npy", net(heldout).argmax(1).numpy())
    """


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("docker", TORCH),
        ("namespaces", SCIENCES),
        pytest.param("docker", SCIENCES, marks=pytest.mark.long),
        pytest.param("namespaces", TORCH, marks=pytest.mark.long),
    ],
)
def test_an_honest_script_trains_and_its_predictions_are_right(
    request: pytest.FixtureRequest, place: str, source: str
) -> None:
    sandbox: WorkspaceSandbox = request.getfixturevalue(f"{place}_workspaces")
    rng = np.random.default_rng(0)
    features = rng.standard_normal((300, 2))
    labels = (features.sum(1) > 0).astype(int)
    rows = [f"{a},{b},{y}" for (a, b), y in zip(features[:200], labels, strict=False)]
    heldout = [f"{a},{b}" for a, b in features[200:]]
    result = sandbox.run(
        script(
            source,
            inputs={
                "train.csv": "\n".join(["a,b,y", *rows]).encode(),
                "heldout.csv": "\n".join(["a,b", *heldout]).encode(),
            },
            expects=Expected(shape=(100,), kind=Numbers.INTEGER),
            memory_mib=2048,
        )
    )
    assert result.outcome is Outcome.FINISHED, (result.reason, result.tail)
    assert result.predictions is not None
    assert (result.predictions == labels[200:]).mean() > 0.9
    assert result.level == sandbox.level
    assert result.cpu_seconds > 0
    assert result.peak_mib > 10
    assert "cpuinfo" not in result.log


def test_new_changed_and_removed_files_come_back_and_all_others_stay(attempt: Try) -> None:
    source = """
        import os, sys
        import package.part
        print(sys.argv, package.part.WORD, os.getcwd() == os.path.dirname(os.path.abspath(__file__)))
        os.makedirs("out/deep")
        open("out/deep/ä b.txt", "wb").write(b"new")
        open("changed.txt", "a").write("!")
        open("same.txt", "w").write("same")
        os.unlink("package/gone.txt")
        os.mkdir("empty")
        """
    files = {
        "package/part.py": b"WORD = 'imported'",
        "package/gone.txt": b"",
        "changed.txt": b"changed",
        "same.txt": b"same",
    }
    result = attempt(source, files=files, arguments=("--seed", "3"))
    assert result.outcome is Outcome.FINISHED, result
    assert result.log == "['main.py', '--seed', '3'] imported True\n"
    assert result.files == {"changed.txt": b"changed!", "out/deep/ä b.txt": b"new"}
    assert (result.removed, result.left_out) == (("package/gone.txt",), ())
    after = result.after(files)
    assert set(after) == {"package/part.py", "changed.txt", "same.txt", "out/deep/ä b.txt"}
    assert after["changed.txt"] == b"changed!"


def test_large_inputs_arrive_unharmed_and_can_only_be_read(attempt: Try) -> None:
    data = np.random.default_rng(0).bytes(9_000_001)
    source = """
        import hashlib, os, sys
        print(hashlib.sha256(open("inputs/deep/data.bin", "rb").read()).hexdigest(), os.listdir("inputs"))
        for attempt in ("open('inputs/deep/data.bin', 'r+b')", "open('inputs/new', 'w')",
                        "os.unlink('inputs/deep/data.bin')", "os.rename('inputs/deep', 'inputs/else')"):
            try:
                eval(attempt)
                print(attempt)
            except OSError:
                pass
        os.chmod("inputs/deep/data.bin", 0o600)
        """
    result = attempt(source, inputs={"deep/data.bin": data})
    assert result.log.startswith(f"{hashlib.sha256(data).hexdigest()} ['deep']\nTraceback"), result.log
    assert not result.files


def test_the_log_has_both_streams_in_order_and_keeps_both_ends_of_a_long_one(attempt: Try) -> None:
    source = """
        import sys
        for n in range(3):
            print("out", n)
            print("err", n, file=sys.stderr)
        for n in range(30_000):
            print("line", n)
        """
    result = attempt(source, log_bytes=4000)
    assert result.outcome is Outcome.FINISHED
    assert result.log.startswith("out 0\nerr 0\nout 1\nerr 1\nout 2\nerr 2\nline 0\n")
    assert result.log.endswith("line 29999\n")
    assert "bytes are left out here]" in result.log
    assert len(result.log) < 4100


def test_a_script_that_fails_is_told_by_its_last_line_and_its_files_come_back(attempt: Try) -> None:
    source = """
        open("notes.txt", "w").write("so far")
        raise ValueError("no such column: /usr/lib/x/secret.csv")
        """
    result = attempt(source, expects=Expected(shape=(3,)))
    assert (result.outcome, result.check, result.exit_status) == (Outcome.REJECTED, "error", 1)
    assert result.reason == "it ended with exit status 1: ValueError: no such column: secret.csv"
    assert 'File "main.py", line 3' in result.log
    assert result.files == {"notes.txt": b"so far"}
    assert result.predictions is None


def test_predictions_must_be_written_by_this_run(attempt: Try) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    earlier = {"predictions.npy": stream.getvalue()}
    result = attempt("print('did nothing')", files=earlier, expects=Expected(shape=(3,)))
    assert (result.outcome, result.check) == (Outcome.REJECTED, "predictions")
    assert result.reason == "it ended without writing predictions.npy"


WRONG = {
    "a wrong shape": (
        "np.save('predictions.npy', np.zeros(4))",
        r"has shape (4,); expected real numbers of shape (3,)",
    ),
    "a link to a file": (
        "os.symlink('main.py', 'predictions.npy')",
        "it could not be read back: predictions.npy (a link)",
    ),
    "far too large": ("open('predictions.npy', 'wb').truncate(1 << 24)", "predictions.npy (16,777,216 bytes"),
}


@pytest.mark.parametrize("place", ["docker", pytest.param("namespaces", marks=pytest.mark.long)])
def test_wrong_predictions_are_a_rejection_with_one_sentence(request: pytest.FixtureRequest, place: str) -> None:
    sandbox: WorkspaceSandbox = request.getfixturevalue(f"{place}_workspaces")
    for case, (line, says) in WRONG.items():
        result = sandbox.run(script(f"import os\nimport numpy as np\n{line}", expects=Expected(shape=(3,))))
        assert (result.outcome, result.check) == (Outcome.REJECTED, "predictions"), (case, result)
        assert says in (result.reason or ""), case
        assert result.predictions is None


# limits

ENDED = {
    "time limit": (
        "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nwhile True: time.sleep(1)",
        {"wall_seconds": 1.0},
    ),
    "memory limit": ("x = []\nwhile True: x.append(bytearray(b'x') * (1 << 20))", {"memory_mib": 100}),
    "process limit": (
        "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)",
        {"processes": 10, "memory_mib": 4000},
    ),
    "disk limit": ("open('x', 'wb').write(bytes(32 << 20))", {"disk_mib": 8}),
    "output limit": ("while True: print('x' * 1000)", {"output_bytes": 100_000}),
    "died": ("import os\nopen('kept', 'w').write('x')\nos.kill(os.getpid(), 11)\nos.abort()", {}),
}


@pytest.mark.parametrize("check", ENDED)
def test_a_limit_ends_the_run_under_its_own_name(attempt: Try, check: str) -> None:
    source, limits = ENDED[check]
    result = attempt(source, **limits)
    assert (result.outcome, result.check) == (Outcome.KILLED, check), result
    assert result.reason
    assert len(result.log) < 1 << 20


def test_exit_status_zero_is_no_success(namespaces_workspaces: WorkspaceSandbox) -> None:
    result = namespaces_workspaces.run(script("import os\nos._exit(0)", expects=Expected(shape=(1,))))
    assert (result.outcome, result.check, result.exit_status) == (Outcome.REJECTED, "predictions", 0)


def test_stop_ends_the_runs_of_a_tag_those_that_wait_too_and_no_others(sandbox: WorkspaceSandbox) -> None:
    sleeper = "import time\nopen('begun', 'w').close()\ntime.sleep(50)"
    with ThreadPoolExecutor(4) as threads:
        doomed = [threads.submit(sandbox.run, script(sleeper, tag="doomed")) for _ in range(3)]
        time.sleep(0.5)
        sandbox.kill("doomed")
        ended = [run.result(30) for run in doomed]
    assert {(result.outcome, result.check) for result in ended} == {(Outcome.KILLED, "stopped")}
    assert sandbox.run(script("print('still here')", tag="spared")).log == "still here\n"


# hostile scripts

CALLS = """
    import ctypes, json, os, resource, socket, time
    libc = ctypes.CDLL(None, use_errno=True)
    def call(*arguments):
        if libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]) < 0:
            raise OSError(ctypes.get_errno(), "refused")
    def refused():
        raise PermissionError("refused")
    outside = os.getppid() or 1
    attempts, came = json.load(open("inputs/attempts.json")), {}
    for name, attempt in attempts.items():
        try:
            came[name] = repr(eval(attempt))
        except OSError as error:
            came[name] = None
    json.dump(came, open("came.json", "w"))
    """
ATTEMPTS = {
    "read a secret of the host": "open({secret!r}).read()",
    "read the host's users": "open('/etc/shadow').read()",
    "read its supervisor's environment": "open(f'/proc/{outside}/environ', 'rb').read()",
    "read its supervisor's memory": "open(f'/proc/{outside}/mem', 'rb')",
    "read its supervisor's descriptors": "os.listdir(f'/proc/{outside}/fd')",
    "signal its supervisor": "os.kill(os.getppid(), 0) if os.getppid() else refused()",
    "trace its supervisor": "call(101, 16, outside, 0, 0)",
    "limit its supervisor": "resource.prlimit(os.getppid() or 2, resource.RLIMIT_NOFILE, (0, 0))",
    "see other runs": "os.listdir(os.path.dirname(os.path.dirname(os.getcwd())))",
    "see other processes": "[pid for pid in os.listdir('/proc') if pid.isdigit()] or refused()",
    "open an IPv4 socket": "socket.socket(socket.AF_INET)",
    "open an IPv6 socket": "socket.socket(socket.AF_INET6)",
    "open a vsock socket": "socket.socket(40)",
    "open a netlink socket": "socket.socket(16, socket.SOCK_RAW)",
    "reach Docker": "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
    "resolve a name": "socket.gethostbyname('localhost') and refused()",
    "write a library": "open(os.__file__, 'a')",
    "write shared memory": "open('/dev/shm/x', 'w')",
    "write beside its workspace": "open(os.path.dirname(os.path.dirname(os.getcwd())) + '/x', 'w')",
    "open a disk": "open('/dev/vda', 'rb')",
    "become root": "os.setuid(0) or os.listdir('/root')",
    "mount": "call(165, b'none', b'.', b'tmpfs', 0, None)",
    "make a namespace": "call(272, 0x10000000)",
    "use io_uring": "call(425, 8, ctypes.create_string_buffer(256))",
    "set the clock": "time.clock_settime(time.CLOCK_REALTIME, time.time())",
    "raise its priority": "os.nice(-5)",
    "run a shell": "os.execv('/bin/sh', ['sh', '-c', 'true'])",
    "run a program of its own": "os.chmod('main.py', 0o700) or os.execv('./main.py', ['main.py'])",
}


@pytest.fixture(scope="module")
def secret() -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", prefix="secret-") as file:
        file.write("held-out labels")
        os.chmod(file.name, 0o644)
        yield file.name


def test_the_kernel_refuses_whatever_leads_out(attempt: Try, secret: str) -> None:
    filled = {name: text.replace("{secret!r}", repr(secret)) for name, text in ATTEMPTS.items()}
    result = attempt(CALLS, inputs={"attempts.json": json.dumps(filled).encode()})
    assert "came.json" in result.files, (result.reason, result.tail)
    came = json.loads(result.files["came.json"])
    assert set(came) == set(ATTEMPTS)
    assert {name: what for name, what in came.items() if what is not None} == {}


def test_labels_and_other_runs_are_nowhere_to_be_found(
    sandbox: WorkspaceSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = secrets.token_hex(16)
    monkeypatch.setenv("CONJECTURE_HELD_OUT", label)
    neighbour = script(
        f"import time\nopen('labels', 'w').write('{label}')\nprint('{label}', flush=True)\ntime.sleep(4)"
    )
    search = """
        import os, sys
        first, second = sys.argv[1:]
        libraries = ("/usr", "/lib", "/lib64", "/opt", "/sys", sys.base_prefix, *sys.path[1:])
        found, seen = [str(os.environ)], 0
        roots = ("/", "/tmp", "/proc", "/proc/1", "/home", "/root", "/var", "/etc", "/run", "/dev", "inputs", "../..")
        for folder, below, names in (step for root in roots for step in os.walk(root)):
            below[:] = [b for b in below if not os.path.join(folder, b).startswith(libraries)]
            for name in names:
                path = os.path.join(folder, name)
                try:
                    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                        found.append(file.read(1 << 20).decode(errors="replace"))
                    seen += 1
                except OSError:
                    pass
        everything = "".join(found)
        place, hits = everything.find(first), 0
        while place >= 0:
            hits += everything[place + len(first):].startswith(second)
            place = everything.find(first, place + 1)
        print("hits", hits, "of", seen > 0)
        """
    with tempfile.NamedTemporaryFile("w", prefix="labels-") as file, ThreadPoolExecutor(1) as threads:
        file.write(label)
        file.flush()
        os.chmod(file.name, 0o644)
        beside = threads.submit(sandbox.run, neighbour)
        time.sleep(1)
        result = sandbox.run(script(search, arguments=(label[:16], label[16:]), inputs={"x": b"unlabelled"}))
        assert label in beside.result().log
    assert result.log == "hits 0 of True\n", result


def test_threads_of_a_script_sleep_while_they_wait_for_each_other(attempt: Try) -> None:
    """Where others compute as well, threads that spin make a training of two seconds miss its limit."""
    assert attempt("import os\nprint(os.environ['OMP_WAIT_POLICY'])").log.strip() == "PASSIVE"


def test_the_environment_and_the_descriptors_are_its_own(attempt: Try) -> None:
    source = """
        import os
        def is_open(number):
            try:
                os.fstat(number)
            except OSError:
                return False
            return True
        print([number for number in range(1024) if is_open(number)], sorted(os.environ))
        """
    allowed = {"HOME", "TMPDIR", "PATH", "LANG", "LC_CTYPE"}
    log = attempt(source).log
    assert log.startswith("[0, 1, 2] ")
    names = set(json.loads(log.partition("] ")[2].replace("'", '"')))
    known = ("PYTHON", "OMP_", "MKL_", "OPENBLAS_", "LOKY_", "JOBLIB_")
    assert {name for name in names - allowed if not name.startswith(known)} == set()


LEFT_BEHIND = """
    import os
    os.symlink("/etc/passwd", "users")
    os.symlink("/", "root")
    os.symlink("../../../etc/shadow", "up")
    os.makedirs("real")
    os.symlink("real", "folder")
    open("real/file", "w").write("kept")
    open("giant", "wb").truncate(40 << 20)
    open("line\\nbreak", "w").close()
    open(b"\\xff\\xfe", "w").close()
    os.unlink("inputs")
    os.mkdir("inputs")
    open("inputs/forged.csv", "w").write("forged")
    os.makedirs("/".join(["d" * 100] * 4))
    open("/".join(["d" * 100] * 4) + "/deep", "w").close()
    open("hidden", "w").close()
    os.chmod("hidden", 0)
    os.rename("../work", "../elsewhere")
    os.symlink("/etc", "../work")
    os.mkdir("z")
    for n in range(400):
        open(f"z/many{n:03}", "w").write("x")
    """


def test_only_regular_files_within_limits_come_back_and_the_rest_is_named(attempt: Try) -> None:
    result = attempt(LEFT_BEHIND)
    assert result.outcome is Outcome.FINISHED, result
    assert result.files["real/file"] == b"kept"
    assert len(result.files) <= 256
    assert all(path.startswith(("z/many", "real/")) for path in result.files)
    told = "\n".join(result.left_out)
    for link in ("users", "root", "up", "folder"):
        assert f"{link} (a link)" in told
    assert "giant (41,943,040 bytes; 16,777,216 are allowed)" in told
    assert "inputs/forged.csv (it lies in inputs/)" in told
    assert "z/many255 (beyond 256 files" in told
    assert " more" in told
    assert told.replace("\n", "").isprintable()


def test_a_process_that_is_left_behind_ends_with_the_run(attempt: Try) -> None:
    marker = secrets.token_hex(8)
    source = f"""
        import os, signal, sys, time
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                for n in range(1, 32):
                    if n not in (9, 19): signal.signal(n, signal.SIG_IGN)
                if os.fork() == 0:
                    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "{marker}"])
                os._exit(0)
        time.sleep(0.3)
        print("done")
        """
    result = attempt(source)
    assert (result.outcome, result.log) == (Outcome.FINISHED, "done\n"), result
    assert not [pid for pid in filter(str.isdigit, os.listdir("/proc")) if marker in _command(pid)]


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


# what the caller may send

SENT = {
    "../x": "a part of it is empty, '.' or '..'",
    "/etc/passwd": "it must be relative",
    "a//b": "a part of it is empty",
    "a/./b": "a part of it is empty, '.' or '..'",
    "": "it must be relative",
    "a\x00b": "characters that do not belong into a path",
    "a\nb": "characters that do not belong into a path",
    "a\\b": "characters that do not belong into a path",
    "d/" * 20 + "x": "deeper than 16 folders",
    "x" * 300: "longer than 255 bytes",
    "main.py/x": "'main.py' is a file",
    "inputs/train.csv": "which holds the data and is read-only",
}


@pytest.mark.parametrize("path", SENT)
def test_a_path_that_is_no_file_of_a_workspace_is_refused_before_anything_runs(path: str) -> None:
    wrong = refused(script("", files={path: b""}))
    assert wrong is not None
    assert wrong[0] == "workspace"
    assert SENT[path] in wrong[1]
    if not path.startswith("inputs"):
        with pytest.raises(ValueError, match="inputs: "):
            refused(script("", inputs={path: b"", "main.py": b""}))


def test_arguments_that_no_program_can_have_are_refused() -> None:
    assert refused(script("", arguments=("--name", "a\x00b"))) == (
        "entry",
        "it can have 64 arguments of 255 printable characters each",
    )


def test_predictions_are_expected_inside_the_workspace() -> None:
    with pytest.raises(ValueError, match=r"expected file '../p.npy': a part of it is empty"):
        refused(script("", expects=Expected(shape=(1,), path="../p.npy")))


def test_a_missing_entry_is_an_error_of_the_script(namespaces_workspaces: WorkspaceSandbox) -> None:
    result = namespaces_workspaces.run(script("", entry="train.py"))
    assert (result.outcome, result.check) == (Outcome.REJECTED, "entry")


# lives of a sandbox


@pytest.fixture
def engine(docker_workspaces: WorkspaceSandbox) -> Iterator[Any]:
    client = docker.from_env(timeout=30)
    yield client
    client.close()


def running(engine: Any) -> list[Any]:
    return list(engine.containers.list(all=True, filters={"label": f"{owners.OWNER}={OWNER}"}, ignore_removed=True))


def test_a_run_has_a_hardened_container_of_its_own_and_a_lost_one_is_a_fault_of_ours(
    docker_workspaces: WorkspaceSandbox, engine: Any
) -> None:
    assert not running(engine)
    with ThreadPoolExecutor(1) as threads:
        lost = threads.submit(docker_workspaces.run, script("import time\ntime.sleep(50)"))
        while not (found := running(engine)):
            time.sleep(0.05)
        (container,) = found
        host = container.attrs["HostConfig"]
        assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
        assert host["LogConfig"]["Type"] == "none"
        assert "no-new-privileges" in host["SecurityOpt"]
        assert not host["Binds"]
        assert set(host["Tmpfs"]) == {"/tmp", "/dev/shm"}
        assert all("noexec,nosuid,nodev" in options for options in host["Tmpfs"].values())
        while container.status == "created":  # and not started yet
            time.sleep(0.05)
            container.reload()
        while not any("main.py" in " ".join(process) for process in container.top()["Processes"]):
            time.sleep(0.05)
        container.kill()
        with pytest.raises(SandboxBroken, match="was lost"):
            lost.result(60)
    assert docker_workspaces.run(script("print('next')")).log == "next\n"
    assert not running(engine)


def test_without_an_engine_scripts_run_in_namespaces_but_never_when_docker_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    sandbox = open_workspaces("auto")
    sandbox.close()
    assert sandbox.level is Level.NAMESPACES
    with pytest.raises(SandboxUnavailable, match="no Docker engine answers"):
        open_workspaces("docker")


def test_a_sandbox_that_lets_a_script_out_is_refused() -> None:
    open_one = with_processes(level=Level.UNSAFE)
    try:
        with pytest.raises(SandboxUnavailable, match="a script can get out: "):
            FreshSandbox(open_one._launch, level=Level.NAMESPACES, parallel=1)
    finally:
        open_one.close()


def test_a_supervisor_that_is_killed_is_a_fault_of_ours_that_says_how_it_ended(
    namespaces_workspaces: WorkspaceSandbox,
) -> None:
    with ThreadPoolExecutor(1) as threads:
        lost = threads.submit(namespaces_workspaces.run, script("import time\ntime.sleep(50)"))
        while not (found := [each for each in below(os.getpid()) if _command(str(each.pid)).endswith("main.py\0")]):
            time.sleep(0.05)
        os.kill(found[0].parent, signal.SIGKILL)
        with pytest.raises(SandboxBroken, match=r"was lost.*ended by signal 9"):
            lost.result(60)


def test_closing_ends_what_runs_and_leaves_no_file() -> None:
    before = set(Path(tempfile.gettempdir()).glob("conjecture-scripts-*"))
    sandbox = with_processes()
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(sandbox.run, script("import time\ntime.sleep(50)"))
        threading.Event().wait(1.0)
        sandbox.close()
        assert run.result(30).check == "stopped"
    with pytest.raises(SandboxBroken, match="has been closed"):
        sandbox.run(script(""))
    assert set(Path(tempfile.gettempdir()).glob("conjecture-scripts-*")) <= before
