"""What an experiment was given from a hub: by name, commit and digests. The files themselves lie in the home."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.workspace import wrong_path

MODELS, DATA = "models", "data"  # as in a search
MIB = 1 << 20
SINGULAR = {MODELS: "model", DATA: "data set"}
SHORT = 12  # digits of a commit that people are shown
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """files: paths in the repository; none: all that may be fetched."""

    what: str  # MODELS or DATA
    repository: str
    revision: str = "main"  # a branch, a tag or a commit
    files: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        return f"the {SINGULAR[self.what]} {self.repository} at {self.revision[:100]!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A model or data set of a hub at one commit."""

    what: str  # MODELS or DATA
    repository: str
    revision: str  # the commit, whatever branch or tag was asked for
    licence: str  # as its page says
    files: Mapping[str, str]  # path in the repository -> sha256
    size: int  # bytes of all of them, as they are handed in

    @property
    def folder(self) -> str:
        """Below inputs/."""
        return f"{self.what}/{self.repository.replace('/', '--')}"  # flat: no file of one lies in another

    @property
    def in_words(self) -> str:
        number = f"{len(self.files):,} file{'' if len(self.files) == 1 else 's'}"
        return (
            f"the {SINGULAR[self.what]} {self.repository} at commit {self.revision[:SHORT]} ({number}, "
            f"{in_bytes(self.size)}, licence: {self.licence})"
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_fetched(told: Mapping[str, Any]) -> Fetched:
    """What `as_json` made. Raises TypeError or ValueError."""
    found = Fetched(**told)
    wrong = [path for path, digest in found.files.items() if wrong_path(path) or not isinstance(digest, str)]
    if wrong or found.what not in SINGULAR or wrong_path(found.repository) or not COMMIT.fullmatch(found.revision):
        raise ValueError(f"{str(told)[:200]} is nothing that was fetched")
    return found


def size_of(fetched: Sequence[Fetched]) -> int:
    return sum(one.size for one in fetched)


def in_bytes(size: int) -> str:
    """`1 byte`, `2.5 KiB`, `417.2 MiB`."""
    if size < 1 << 10:
        return f"{size} byte{'' if size == 1 else 's'}"
    return f"{size / MIB:,.1f} MiB" if size >= MIB else f"{size / (1 << 10):,.1f} KiB"
