"""The image's name always tells the code in it; a build that cannot succeed says what to do."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox import image
from sandbox.errors import SandboxUnavailable


class Checkout:
    """A copy of the sandbox's code that may be edited, and what it calls its images."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "sandbox"
        self.guest = self.package / "guest"
        shutil.copytree(image.HERE, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    def names(self, function: str = "image_name") -> list[str]:
        """For each target, in their order."""
        asked = f"from sandbox import image; print(*map(image.{function}, image.Target))"
        command = [sys.executable, "-B", "-c", asked]
        here = self.package.parent  # comes before everything else that can be imported
        return subprocess.run(command, cwd=here, capture_output=True, text=True, check=True).stdout.split()

    def edit(self) -> None:
        with (self.guest / "job.py").open("a") as file:
            file.write("\n# edited\n")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_names_are_the_same_for_the_same_code(checkout: Checkout) -> None:
    (checkout.guest / "__pycache__").mkdir()
    (checkout.guest / "__pycache__" / "job.pyc").write_bytes(b"x")
    assert checkout.names() == [image.image_name(target) for target in image.Target]


def test_the_names_change_with_the_guests_code_and_the_slow_layers_do_not(checkout: Checkout) -> None:
    checkout.edit()
    assert not {*checkout.names()} & {image.image_name(target) for target in image.Target}
    assert checkout.names("packages_name") == [image.packages_name(target) for target in image.Target]


def test_the_image_for_experiments_is_built_on_the_one_for_components() -> None:
    names = [image.image_name(target) for target in image.Target]
    layers = [image.packages_name(target) for target in image.Target]
    assert len({*names, *layers}) == 4
    assert f"FROM {layers[0]} AS sciences".encode() in image._stages(image.Target.EXPERIMENT)


def test_a_change_to_the_experiments_stages_leaves_components_as_they_are(checkout: Checkout) -> None:
    with (checkout.package / "Dockerfile").open("a") as file:
        file.write("RUN true\n")
    component, experiment = checkout.names("packages_name")
    assert component == image.packages_name()
    assert experiment != image.packages_name(image.Target.EXPERIMENT)


def test_a_file_that_moved_changes_the_name(checkout: Checkout) -> None:
    (checkout.guest / "job.py").rename(checkout.guest / "task.py")
    assert checkout.names()[0] != image.image_name()


def test_another_base_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = image.packages_name()
    monkeypatch.setenv("CONJECTURE_SANDBOX_BASE", "nvidia/cuda:12.4.1-runtime-debian12")
    assert image.packages_name() != packages
    monkeypatch.setenv("CONJECTURE_SANDBOX_BASE", "")
    assert image.packages_name() == packages


def test_the_context_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    files = [("Dockerfile", b"FROM x"), ("guest/a.py", tmp_path / "a.py")]
    first = image._context(files).read()
    (tmp_path / "a.py").touch()
    assert image._context(files).read() == first
    with tarfile.open(fileobj=image._context(files)) as tar:
        assert tar.getnames() == ["Dockerfile", "guest/a.py"]


@pytest.fixture
def engine(docker_image: str) -> Any:
    return docker.from_env(timeout=30)


def test_the_image_is_small_and_holds_no_pip_and_no_compiler(engine: Any, docker_image: str) -> None:
    found = engine.containers.run(
        docker_image, ["sh", "-c", "for c in pip pip3 gcc cc curl wget; do command -v $c; done; true"], remove=True
    )
    assert found == b""
    assert engine.images.get(docker_image).attrs["Size"] < 1.5e9


def test_the_image_for_experiments_holds_the_sciences_and_no_pip(engine: Any, docker_image: str) -> None:
    name = image.ensure_image(engine, image.Target.EXPERIMENT, packages=True, say=print)
    program = "import numpy, pandas, scipy, sklearn; print(numpy.__version__, pandas.__version__, sklearn.__version__)"
    sites = f"PYTHONPATH={image.SITE}:{image.SCIENCES}"
    found = engine.containers.run(name, ["env", sites, "python3", "-c", program], remove=True, network_mode="none")
    assert found.decode().split() == [importlib.metadata.version(p) for p in ("numpy", "pandas", "scikit-learn")]
    with pytest.raises(docker.errors.ContainerError, match="No module named pip"):
        engine.containers.run(name, ["python3", "-m", "pip"], remove=True, network_mode="none")
    assert engine.images.get(name).attrs["Size"] < 1.8e9


def test_a_missing_image_is_not_built_behind_anyones_back(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONJECTURE_SANDBOX_BASE", "conjecture-no-such-base")
    with pytest.raises(SandboxUnavailable, match="run `make setup`"):
        image.ensure_image(engine)


def test_a_base_that_cannot_be_had_is_told_with_advice(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SandboxUnavailable, match=r"`.ci/base-image` makes it"):
        image._build(engine, "conjecture-test", [("Dockerfile", b"FROM conjecture-no-such-base\n")], lambda line: None)
