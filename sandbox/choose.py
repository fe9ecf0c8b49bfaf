"""Which sandbox this machine gets: the strongest that works, never silently a weaker one than was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sandbox.container import DockerSandbox
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.execution import Level, Sandbox
from sandbox.process import ACTIONS, ProcessSandbox
from sandbox.workspace import WorkspaceSandbox
from sandbox.workspace_sandbox import with_docker, with_processes

Opened = TypeVar("Opened")
PREFERENCES = ("auto", "docker", "process", "unsafe")
ADVICE = (
    "Install Docker and let this user use it (strongest), or allow user namespaces (`sysctl "
    "kernel.unprivileged_userns_clone=1`, on Ubuntu `sysctl kernel.apparmor_restrict_unprivileged_userns=0`), "
    "or run everything WITHOUT isolation, on a machine that holds nothing of value, with CONJECTURE_UNSAFE_SANDBOX=1."
)


def open_sandbox(
    preference: str = "auto",
    *,
    parallel: int | None = None,
    runtime: str | None = None,
    owner: str = "",
    actions: str = ACTIONS,
) -> Sandbox:
    """The sandbox to use.

    preference: "auto" tries Docker, then namespaces, then Landlock; "docker" and "process" (namespaces, then Landlock)
    never fall back to the other; "unsafe" is no isolation at all and is only ever chosen by name.
    parallel: jobs at once, one a core by default. runtime: Docker's, such as "runsc" (gVisor). owner: what identifies
    this instance, such as its home directory, so that what a crashed run of it left behind is found and removed.
    actions: the guest's module with ACTIONS, "-" for none but the built-in ones.
    Raises SandboxUnavailable, with advice, when there is none, ValueError for an unknown preference.
    """

    def docker() -> Sandbox:
        return DockerSandbox(parallel=parallel, runtime=runtime, owner=owner, actions=actions)

    def process(level: Level) -> Sandbox:
        return ProcessSandbox(level=level, parallel=parallel, actions=actions)

    return _strongest(preference, docker, process)


def open_workspaces(
    preference: str = "auto", *, parallel: int = 1, runtime: str | None = None, owner: str = ""
) -> WorkspaceSandbox:
    """Where whole scripts run, `parallel` at once; chosen and refused as `open_sandbox` does."""
    return _strongest(
        preference,
        lambda: with_docker(parallel=parallel, runtime=runtime, owner=owner),
        lambda level: with_processes(level=level, parallel=parallel),
    )


def _strongest(preference: str, docker: Callable[[], Opened], process: Callable[[Level], Opened]) -> Opened:
    if preference not in PREFERENCES:
        raise ValueError(f"sandbox preference {preference!r}; expected one of {', '.join(PREFERENCES)}")
    if preference == "unsafe":
        return process(Level.UNSAFE)
    if preference == "docker":
        return docker()
    reasons = []
    if preference == "auto":
        try:
            return docker()
        except SandboxError as error:
            reasons.append(f"docker: {error}")
    for level in (Level.NAMESPACES, Level.LANDLOCK):
        try:
            return process(level)
        except SandboxError as error:
            reasons.append(f"{level}: {error}")
    raise SandboxUnavailable(f"this machine offers no sandbox. {ADVICE} What was tried: {' | '.join(reasons)}")


def gpu_is_there() -> bool:
    """Whether this machine's driver shows one. Asking CUDA instead would initialise it in this process."""
    return Path("/dev/nvidiactl").exists()


def gpus_here() -> tuple[str, ...]:
    """Ids of the GPUs of this machine, as its driver numbers them."""
    return tuple(sorted((path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")), key=int))


def gpus_named(given: str, here: Sequence[str]) -> tuple[str, ...]:
    """The GPUs that are meant by `all`, a count (`2`), or ids with commas (`0,2`; `0,` for one alone).

    Raises SandboxUnavailable when there are fewer. Ids are passed on as they are: Docker knows names that we do not.
    """
    if "," in given or given.startswith("GPU-"):
        return tuple(name.strip() for name in given.split(",") if name.strip())
    wanted = len(here) if given == "all" else int(given)
    if not 0 < wanted <= len(here):
        advice = "Set CONJECTURE_GPUS to fewer, or CONJECTURE_DEVICE=cpu."
        raise SandboxUnavailable(f"CONJECTURE_GPUS={given}: the driver shows {len(here)} of them in /dev. {advice}")
    return tuple(here[:wanted])


def open_with_gpu(
    preference: str = "auto", *, gpus: str = "all", runtime: str | None = None, owner: str = ""
) -> Sandbox:
    """A sandbox with one job at a time on each GPU. Raises SandboxUnavailable, with advice, when there is none.

    gpus: which, see `gpus_named`.
    """
    advice = "Set CONJECTURE_DEVICE=cpu to train on processors"
    if preference not in ("auto", "docker"):
        raise SandboxUnavailable(f"only Docker hands a GPU to a sandbox, not {preference!r}. {advice}.")
    sandbox = DockerSandbox(runtime=runtime, owner=owner, gpus=gpus_named(gpus, gpus_here()))
    if "+cu" not in sandbox.torch_version:
        sandbox.close()
        raise SandboxUnavailable(
            f"torch {sandbox.torch_version} in the sandbox's image is built without CUDA. {advice}, or build the image "
            "on one with CUDA (CONJECTURE_SANDBOX_BASE)."
        )
    return sandbox
