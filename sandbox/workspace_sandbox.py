"""Where whole scripts run: a sandbox that starts for one run and ends with it, so that no run can meet another."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox import owners
from sandbox.container import API_SECONDS, GVISOR, ContainerChannel, connect, hardened
from sandbox.errors import SandboxBroken, SandboxError, SandboxUnavailable
from sandbox.execution import Level, Limits, Outcome
from sandbox.guest.confine import Mode
from sandbox.image import CODE, DOCKER_ERRORS, SCIENCES, SITE, Target, ensure_image
from sandbox.process import GUEST, MODES, PACKAGES, ProcessChannel, boot, command
from sandbox.worker import Channel
from sandbox.workspace import MAX_SENT_FILES, Run, RunLimits, RunResult, refused
from sandbox.workspace_exchange import Exchange
from sandbox.workspace_ruling import rule

END_SECONDS = 20.0
SUPERVISOR = "sandbox.guest.experiment"
SCRIPTS_IMPORT = (*PACKAGES, "sklearn", "scipy", "pandas", "joblib", "threadpoolctl", "narwhals", "dateutil", "six")
MIB = 1 << 20
INODES = 16_384 + 2 * MAX_SENT_FILES
PROBE = """
import json, os
from probe.escape import escape
from probe.job import Job
expected = ("PYTHON", "OMP_", "MKL_NUM_", "OPENBLAS_NUM_", "LOKY_MAX_", "JOBLIB_MULTI", "LANG", "LC_CTYPE")
for name in list(os.environ):
    if name.startswith(expected):
        del os.environ[name]
job = Job(json.load(open("inputs/options.json")))
json.dump(escape(job).values, open("ways.json", "w"))
"""
PROBED = """
class Job:  # in the place of the fork server's, which would load torch
    def __init__(self, options):
        self.options = options
class Reply:
    def __init__(self, values):
        self.values = values
"""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Call:
    """One `run` that has not returned. `exchange` is set while it runs inside."""

    tag: str
    stopped: bool = False
    exchange: Exchange | None = None


class FreshSandbox:
    """`parallel` runs at once, each in a sandbox of its own that `launch` starts."""

    def __init__(
        self,
        launch: Callable[[Run], Channel],
        *,
        level: Level,
        parallel: int,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises SandboxUnavailable when no run can be started, or an attempt to escape succeeds."""
        self._launch = launch
        self._level = level
        self._parallel = parallel
        self._at_end = at_end
        self._turn = threading.Condition()
        self._running = 0
        self._open: dict[int, Call] = {}
        self._closed = False
        try:
            if level is not Level.UNSAFE:
                self._refuse_if_open()
        except SandboxError as error:
            self.close()
            raise SandboxUnavailable(f"no sandbox of level {level} for scripts: {error}") from error

    @property
    def level(self) -> Level:
        return self._level

    @property
    def parallel(self) -> int:
        return self._parallel

    def run(self, run: Run) -> RunResult:
        if wrong := refused(run):
            return RunResult(outcome=Outcome.REJECTED, check=wrong[0], reason=wrong[1], level=self._level)
        call = Call(run.tag)
        with self._turn:
            self._open[id(call)] = call
        try:
            with self._place(call):
                return self._stopped() if call.stopped else self._attempt(run, call)
        finally:
            with self._turn:
                del self._open[id(call)]

    def kill(self, tag: str) -> None:
        with self._turn:
            chosen = [call for call in self._open.values() if call.tag == tag]
            for call in chosen:
                call.stopped = True
            running = [call.exchange for call in chosen if call.exchange is not None]
            self._turn.notify_all()
        for exchange in running:
            exchange.kill()

    def close(self) -> None:
        """Ends what still runs; its `run` raises SandboxBroken, or answers that it was stopped."""
        with self._turn:
            self._closed = True
            tags = {call.tag for call in self._open.values()}
        for tag in tags:
            self.kill(tag)
        with self._turn:
            self._turn.wait_for(lambda: not self._running, END_SECONDS)
            hanging = [call.exchange for call in self._open.values() if call.exchange is not None]
        for exchange in hanging:
            exchange.close()
        self._at_end()

    @contextlib.contextmanager
    def _place(self, call: Call) -> Iterator[None]:
        with self._turn:
            self._turn.wait_for(lambda: self._closed or call.stopped or self._running < self._parallel)
            if self._closed:
                raise SandboxBroken("the sandbox for scripts has been closed")
            self._running += 1
        try:
            yield
        finally:
            with self._turn:
                self._running -= 1
                self._turn.notify_all()

    def _attempt(self, run: Run, call: Call) -> RunResult:
        exchange = self._begin(run, call)
        try:
            if call.stopped:  # while it was sent
                exchange.kill()
            return rule(run, exchange.listen(run), self._level)
        finally:
            with self._turn:
                call.exchange = None
            exchange.close()

    def _begin(self, run: Run, call: Call) -> Exchange:
        """A second try is for a sandbox that did not start: the script has not run yet, whatever it is."""
        try:
            return self._once(run, call)
        except SandboxBroken as error:
            log.warning("a script's sandbox did not start and is started once more: %s", error)
            return self._once(run, call)

    def _once(self, run: Run, call: Call) -> Exchange:
        exchange = Exchange(self._launch(run))
        try:
            exchange.begin(run)
        except BaseException:
            exchange.close()
            raise
        with self._turn:
            call.exchange = exchange
        return exchange

    def _stopped(self) -> RunResult:
        reason = "it was stopped on request before it began"
        return RunResult(outcome=Outcome.KILLED, check="stopped", reason=reason, level=self._level)

    def _refuse_if_open(self) -> None:
        """Try to get out, from a script like any other."""
        attempts = {"probe/escape.py": (GUEST / "escape.py").read_bytes(), "probe/job.py": PROBED.encode()}
        with tempfile.NamedTemporaryFile(prefix="conjecture-secret-") as secret:
            result = self.run(
                Run(
                    files={"main.py": PROBE.encode(), **attempts},
                    inputs={"options.json": json.dumps({"secrets": [secret.name]}).encode()},
                    limits=RunLimits(wall_seconds=60.0, memory_mib=1024, cores=1, disk_mib=16),
                )
            )
        if "ways.json" not in result.files:
            raise SandboxUnavailable(f"the escape probe did not finish: {result.reason} {result.tail[-500:]}")
        ways = json.loads(result.files["ways.json"])
        open_ways = [f"{name} ({what})" for name, what in ways.items() if what is not None]
        if open_ways:
            raise SandboxUnavailable(f"a script can get out: {'; '.join(open_ways)}. It is not used.")


def with_docker(
    *, parallel: int = 1, runtime: str | None = None, owner: str = "", api_seconds: int = API_SECONDS
) -> FreshSandbox:
    """A hardened container for each run. Raises SandboxUnavailable without an engine or the image for experiments."""
    client = connect(api_seconds)
    try:
        owners.remove_orphans(client, owner)
        image = ensure_image(client, Target.EXPERIMENT)
    except SandboxUnavailable:
        client.close()
        raise
    except DOCKER_ERRORS as error:
        client.close()
        raise SandboxUnavailable(f"Docker answers, but its sandbox does not work: {error}") from error
    supervisor = boot("python3", [CODE, SITE, SCIENCES], SUPERVISOR, Mode.DOCKER, "/tmp")

    def launch(run: Run) -> Channel:
        limits, disk = run.limits, run.limits.disk_mib + _sent_mib(run)
        sized = Limits(memory_mib=limits.memory_mib + disk, processes=limits.processes, disk_mib=disk)
        settings = hardened(client, 1, sized, runtime)
        settings["NanoCpus"] = min(limits.cores, os.cpu_count() or 1) * 1_000_000_000
        tmp = f"rw,noexec,nosuid,nodev,size={disk}m,nr_inodes={INODES},mode=1777"
        settings["Tmpfs"] = {"/tmp": tmp, "/dev/shm": settings["Tmpfs"]["/dev/shm"]}
        return ContainerChannel(client, image, settings, labels=owners.labels(owner), arguments=supervisor)

    level = Level.DOCKER_GVISOR if runtime == GVISOR else Level.DOCKER
    return FreshSandbox(launch, level=level, parallel=parallel, at_end=client.close)


def with_processes(*, level: Level = Level.NAMESPACES, parallel: int = 1) -> FreshSandbox:
    """A process in namespaces of its own, or below Landlock, for each run, with the packages that are installed here.

    Raises SandboxUnavailable when this machine does not offer `level`.
    """
    home = Path(tempfile.mkdtemp(prefix="conjecture-scripts-"))
    return FreshSandbox(
        lambda run: ProcessChannel(command(MODES[level], home, SUPERVISOR, packages=SCRIPTS_IMPORT)),
        level=level,
        parallel=parallel,
        at_end=lambda: shutil.rmtree(home, ignore_errors=True),
    )


def _sent_mib(run: Run) -> int:
    sent = [*run.files.values(), *run.inputs.values()]
    return sum(len(content) + 4096 for content in sent) // MIB + 1
