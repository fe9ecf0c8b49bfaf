"""The image that candidates run in: named by what is in it, built when it is not there.

Two layers of names. `conjecture-sandbox:packages-<digest>` holds Python, torch and numpy: minutes to build, once a
torch version. `conjecture-sandbox:<digest>` adds the guest's code: about a second, whenever that has changed. So the
name always tells the code, and an image that was built from other code is never used.
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
LABEL = "conjecture.sandbox"
DOCKER_ERRORS = (DockerException, RequestException, OSError)
BUILD_SECONDS = 1800

Say = Callable[[str], None]


def image_name() -> str:
    return f"{REPOSITORY}:{_digest(packages_name().encode(), *_guest_bytes())}"


def packages_name() -> str:
    versions = [f"{name}=={_installed(name)}" for name in ("torch", "numpy")]
    return f"{REPOSITORY}:packages-{_digest(DOCKERFILE.read_bytes(), base().encode(), *map(str.encode, versions))}"


def base() -> str:
    """The image that is built upon; a CUDA base, for instance, through CONJECTURE_SANDBOX_BASE."""
    return os.environ.get("CONJECTURE_SANDBOX_BASE") or BASE


def has_image(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def ensure_image(client: docker.DockerClient, *, packages: bool = False, say: Say = lambda line: None) -> str:
    """The name of the image that fits this code; built when it is missing.

    packages: also build the layer with torch, which takes minutes and may download; without it, a missing one is
    SandboxUnavailable, as is a build that fails.
    """
    name = image_name()
    if has_image(client, name):
        return name
    below = packages_name()
    if not has_image(client, below):
        if not packages:
            raise SandboxUnavailable(f"the sandbox image {below} has not been built; run `make setup`")
        fill_wheelhouse(say)
        say(f"building {below} on {base()}")
        context = [("Dockerfile", DOCKERFILE.read_bytes()), *_files(WHEELS, "wheels", "*.whl")]
        _build(client, below, context, say, buildargs={"BASE": base()})
        client.images.prune(filters={"dangling": True, "label": f"{LABEL}=stage"})  # what the build has copied from
    say(f"adding the guest's code: {name}")
    compile_all = f"python3 -m compileall -q --invalidation-mode unchecked-hash {CODE}"
    dockerfile = f"FROM {below}\nCOPY guest {CODE}/sandbox/guest\nRUN {compile_all}\n"
    _build(client, name, [("Dockerfile", dockerfile.encode()), *_files(GUEST, "guest", "*.py")], say)
    return name


def fill_wheelhouse(say: Say = lambda line: None) -> None:
    """Let pip download, from wherever it is configured to, the torch and numpy that are installed here."""
    torch, numpy = _installed("torch"), _installed("numpy")
    if list(WHEELS.glob(f"torch-{torch}-*.whl")):
        return
    say(f"downloading torch {torch} and numpy into {WHEELS}")
    WHEELS.mkdir(exist_ok=True)
    for stale in WHEELS.glob("*.whl"):
        stale.unlink()
    wanted = [f"torch=={torch}", f"numpy=={numpy}"]
    if sys.version_info[:2] != BASE_PYTHON:
        version = ".".join(map(str, BASE_PYTHON))
        machine = os.uname().machine
        platforms = [f"manylinux{tag}_{machine}" for tag in ("_2_28", "_2_27", "_2_17", "2014")]
        wanted = [f"torch=={torch}", "numpy", "--python-version", version, "--implementation", "cp"]
        wanted += [word for platform in platforms for word in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", str(WHEELS)]
    done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SandboxUnavailable(
            f"pip could not download torch {torch} for the sandbox image: {done.stderr.strip()[-500:]} "
            "Check the network and pip's configuration, then run `make setup` again."
        )


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
    """`python -m sandbox.image build`: exit 0 when the image is there, 1 with advice when it cannot be made."""
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
        name = ensure_image(client, packages=True, say=lambda line: print(line, flush=True))
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    print(f"sandbox image {name} is ready")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
