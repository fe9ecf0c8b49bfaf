"""What of a sandbox this machine offers, for `conjecture doctor`: looks, starts no worker, changes nothing."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import docker

from sandbox.container import GVISOR, connect
from sandbox.errors import SandboxError
from sandbox.guest import landlock, seccomp
from sandbox.image import DOCKER_ERRORS, Target, has_image, image_name, packages_name
from sandbox.process import namespaces_refused

DOCTOR_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that was looked at. `advice` is None where all is well."""

    name: str
    works: bool
    detail: str
    advice: str | None = None


def diagnose() -> list[Fact]:
    return [*_docker(), _namespaces(), _landlock(), _seccomp()]


def _docker() -> list[Fact]:
    try:
        client = connect(DOCTOR_SECONDS)
        information = client.info()
    except (SandboxError, *DOCKER_ERRORS) as error:
        missing = "Install and start Docker for the strongest sandbox; without it, namespaces are used."
        return [Fact(name="docker", works=False, detail=str(error), advice=missing)]
    with_version = f"engine {information.get('ServerVersion', '?')}, cgroup v{information.get('CgroupVersion', '?')}"
    engine = Fact(name="docker", works=True, detail=with_version)
    runtimes = sorted(information.get("Runtimes", {}))
    gvisor = Fact(
        name="gvisor",
        works=GVISOR in runtimes,
        detail=f"runtimes: {', '.join(runtimes)}",
        advice=None if GVISOR in runtimes else f"Optional: install {GVISOR} and register it as a runtime with Docker.",
    )
    images = [_image(client, "sandbox image", Target.COMPONENT), _image(client, "experiment image", Target.EXPERIMENT)]
    client.close()
    return [engine, *images, gvisor]


def _image(client: docker.DockerClient, name: str, target: Target) -> Fact:
    # The layer with the guest's code is added in a second whenever it is missing; the one below is what takes time.
    ready = has_image(client, image_name(target)) or has_image(client, packages_name(target))
    return Fact(
        name=name,
        works=ready,
        detail=image_name(target) if ready else packages_name(target),
        advice=None if ready else "Run `make setup` to build it.",
    )


def _namespaces() -> Fact:
    refused = namespaces_refused()
    advice = (
        "Allow them: `sysctl kernel.unprivileged_userns_clone=1`, `sysctl user.max_user_namespaces=15000`, on Ubuntu "
        "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`; or use Docker."
    )
    if refused:
        return Fact(name="namespaces", works=False, detail=refused, advice=advice)
    return Fact(name="namespaces", works=True, detail="user, pid, mount, network, IPC, UTS")


def _landlock() -> Fact:
    version = landlock.abi()
    if version:
        return Fact(name="landlock", works=True, detail=f"ABI {version}")
    advice = "Linux 5.13 or newer has it; where it is built in, add `landlock` to the boot parameter `lsm=`."
    return Fact(name="landlock", works=False, detail="the kernel does not offer it", advice=advice)


def _seccomp() -> Fact:
    offered = "Seccomp:" in Path("/proc/self/status").read_text()
    known = platform.machine() in seccomp.ARCHITECTURES
    advice = None if offered and known else f"Needs a kernel with seccomp on {' or '.join(seccomp.ARCHITECTURES)}."
    return Fact(name="seccomp", works=offered and known, detail=platform.machine(), advice=advice)
