"""The images that foreign code runs in: named by what is in them, built when they are not there.

Two layers of names. `conjecture-sandbox:packages-<digest>` holds Python, torch and numpy: minutes to build, once a
torch version; `conjecture-sandbox:experiment-<digest>` adds scikit-learn, SciPy and pandas to it, for whole scripts.
`conjecture-sandbox:<digest>` adds the guest's code to either: about a second, whenever that has changed. So the name
always tells the code, and an image that was built from other code is never used.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound
from requests.exceptions import RequestException

from sandbox.errors import SandboxUnavailable

HERE = Path(__file__).parent
DOCKERFILE = HERE / "Dockerfile"
GUEST = HERE / "guest"
WHEELS = HERE / "wheels"
REPOSITORY = "conjecture-sandbox"
BASE = "debian:bookworm-slim"
BASE_PYTHON = (3, 11)
CODE = "/opt/conjecture/code"
SITE = "/opt/conjecture/site"
SCIENCES = "/opt/conjecture/sciences"
LABEL = "conjecture.sandbox"
DOCKER_ERRORS = (DockerException, RequestException, OSError)
BUILD_SECONDS = 1800

Say = Callable[[str], None]


class Target(StrEnum):
    """What an image is for, by the name of its stage in the Dockerfile."""

    COMPONENT = "component"
    EXPERIMENT = "experiment"


PACKAGES = {Target.COMPONENT: ("torch", "numpy"), Target.EXPERIMENT: ("scikit-learn", "scipy", "pandas")}


def image_name(target: Target = Target.COMPONENT) -> str:
    return f"{REPOSITORY}:{_digest(packages_name(target).encode(), *_guest_bytes())}"


def packages_name(target: Target = Target.COMPONENT) -> str:
    versions = [f"{name}=={_installed(name)}".encode() for name in PACKAGES[target]]
    if target is Target.EXPERIMENT:
        return f"{REPOSITORY}:experiment-{_digest(_stages(target), *versions)}"
    return f"{REPOSITORY}:packages-{_digest(_stages(target), base().encode(), *versions)}"


def _stages(target: Target) -> bytes:
    """The part of the Dockerfile that is the target's own. The engine's builder would run everything that precedes it,
    so that part of `experiment` begins from the image that the other has made."""
    component, found, experiment = DOCKERFILE.read_text().partition("FROM component AS sciences")
    if target is Target.COMPONENT:
        return component.encode()
    return (found + experiment).replace("FROM component ", f"FROM {packages_name()} ").encode()


def base() -> str:
    """The image that is built upon; a CUDA base, for instance, through CONJECTURE_SANDBOX_BASE."""
    return os.environ.get("CONJECTURE_SANDBOX_BASE") or BASE


def has_image(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def ensure_image(
    client: docker.DockerClient,
    target: Target = Target.COMPONENT,
    *,
    packages: bool = False,
    say: Say = lambda line: None,
) -> str:
    """The name of the image that fits this code; built when it is missing.

    packages: also build the layers with packages, which takes minutes and may download; without it, a missing one is
    SandboxUnavailable, as is a build that fails.
    """
    name = image_name(target)
    if has_image(client, name):
        return name
    below = packages_name(target)
    if not has_image(client, below):
        if not packages:
            raise SandboxUnavailable(f"the sandbox image {below} has not been built; run `make setup`")
        if target is not Target.COMPONENT:
            ensure_image(client, packages=True, say=say)
        fill_wheelhouse(target, say)
        say(f"building {below} on {base()}")
        wheels = _files(WHEELS / target, f"wheels/{target}", "*.whl")
        buildargs = {"BASE": base()} if target is Target.COMPONENT else {}
        _build(client, below, [("Dockerfile", _stages(target)), *wheels], say, buildargs=buildargs)
        client.images.prune(filters={"dangling": True, "label": f"{LABEL}=stage"})  # what the build has copied from
    say(f"adding the guest's code: {name}")
    compile_all = f"python3 -m compileall -q --invalidation-mode unchecked-hash {CODE}"
    dockerfile = f"FROM {below}\nCOPY guest {CODE}/sandbox/guest\nRUN {compile_all}\n"
    _build(client, name, [("Dockerfile", dockerfile.encode()), *_files(GUEST, "guest", "*.py")], say)
    return name


def fill_wheelhouse(target: Target, say: Say = lambda line: None) -> None:
    """Let pip download, from wherever it is configured to, the versions that are installed here."""
    same_python = sys.version_info[:2] == BASE_PYTHON
    exact = PACKAGES[target] if same_python else PACKAGES[target][:1]  # of others, what that Python can have
    versions = {name: _installed(name) for name in exact}
    wheels = WHEELS / target
    if all(list(wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl")) for name, version in versions.items()):
        return
    say(f"downloading {', '.join(PACKAGES[target])} into {wheels}")
    wheels.mkdir(parents=True, exist_ok=True)
    for stale in wheels.glob("*.whl"):
        stale.unlink()
    wanted = [f"{name}=={versions[name]}" if name in versions else name for name in PACKAGES[target]]
    if same_python and "numpy" not in PACKAGES[target]:
        wanted.append(f"numpy=={_installed('numpy')}")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", str(wheels)]
    options = [] if same_python else _for_base_python()
    done = subprocess.run([*command, *wanted, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SandboxUnavailable(
            f"pip could not download {', '.join(wanted)} for the sandbox image: {done.stderr.strip()[-500:]} "
            "Check the network and pip's configuration, then run `make setup` again."
        )
    if target is not Target.COMPONENT:
        below = {wheel.name.partition("-")[0] for wheel in (WHEELS / Target.COMPONENT).glob("*.whl")}
        for wheel in wheels.glob("*.whl"):
            if wheel.name.partition("-")[0] in below:
                wheel.unlink()  # it is in the image already


def _for_base_python() -> list[str]:
    version = ".".join(map(str, BASE_PYTHON))
    machine = os.uname().machine
    platforms = [f"manylinux{tag}_{machine}" for tag in ("_2_28", "_2_27", "_2_24", "_2_17", "2014")]
    options = ["--python-version", version, "--implementation", "cp"]
    return options + [word for platform in platforms for word in ("--platform", platform)]


def _build(
    client: docker.DockerClient,
    name: str,
    files: Iterable[tuple[str, bytes | Path]],
    say: Say,
    buildargs: dict[str, str] | None = None,
) -> None:
    last = ""
    try:
        lines = client.api.build(
            fileobj=_context(files),
            custom_context=True,
            tag=name,
            rm=True,
            forcerm=True,
            network_mode="host",  # apt-get of the first stage; the guest never has a network
            buildargs=buildargs or {},
            labels={LABEL: "image"},
            decode=True,
            timeout=BUILD_SECONDS,
        )
        for line in lines:
            if "error" in line:
                raise SandboxUnavailable(_advice(name, f"{line['error'].strip()} {last}"))
            if text := line.get("stream", "").strip():
                last = text[-500:]
                say(text)
    except (APIError, BuildError, *DOCKER_ERRORS) as error:
        raise SandboxUnavailable(_advice(name, str(error))) from error


def _advice(name: str, error: str) -> str:
    return (
        f"the image {name} could not be built: {error}. If {base()} cannot be pulled, load or import it under that "
        "name (`.ci/base-image` makes it on Debian and Ubuntu), or name another base in CONJECTURE_SANDBOX_BASE; "
        "then run `make setup` again."
    )


def _context(files: Iterable[tuple[str, bytes | Path]]) -> io.IOBase:
    """The build context as a tar without times or owners, so that equal contents hit Docker's cache."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - the caller reads it; it has no name to leave behind
    with tarfile.open(fileobj=spool, mode="w") as tar:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.mode = 0o644
            if isinstance(content, Path):
                entry.size = content.stat().st_size
                with content.open("rb") as file:
                    tar.addfile(entry, file)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    spool.seek(0)
    return spool


def _files(directory: Path, prefix: str, pattern: str) -> list[tuple[str, bytes | Path]]:
    return [(f"{prefix}/{path.relative_to(directory)}", path) for path in sorted(directory.rglob(pattern))]


def _guest_bytes() -> list[bytes]:
    paths = sorted(GUEST.rglob("*.py"))
    return [part for path in paths for part in (str(path.relative_to(GUEST)).encode(), path.read_bytes())]


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise SandboxUnavailable(f"{package} is not installed beside this program; run `make setup`") from error


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:16]


def main(arguments: list[str]) -> int:
    """`python -m sandbox.image build`: exit 0 when the images are there, 1 with advice when one cannot be made."""
    if arguments != ["build"]:
        print("usage: python -m sandbox.image build", file=sys.stderr)
        return 2
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DOCKER_ERRORS as error:
        print(f"no Docker engine answers ({error}); the sandbox without Docker will be used", file=sys.stderr)
        return 1
    try:
        names = [ensure_image(client, target, packages=True, say=partial(print, flush=True)) for target in Target]
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    print(f"sandbox images {' and '.join(names)} are ready")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
