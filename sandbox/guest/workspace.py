"""Files of a run: written before the script starts, read back when nothing of it lives any more.

What is read back is named by hostile code: regular files only, never through a link, within limits of number, size and
depth. Everything else is told by name and reason, and the host checks all of it once more.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

PIECE = 256 << 10
MAX_PATH = 255
MAX_LOOKED_AT = 20_000  # entries; a folder without end must not hold up the report
INPUTS = "inputs"
NAMED = 16  # of what was left out

Read = Callable[[int], bytes]


@dataclass(slots=True)
class Found:
    """What lies in a workspace after the run. `files` are the new and the changed ones, with their sizes."""

    files: list[tuple[str, int]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unnamed: int = 0

    def leave_out(self, path: str, why: str) -> None:
        if len(self.left_out) < NAMED:
            self.left_out.append(f"{ascii(path)[1:-1][:MAX_PATH]} ({why})")
        else:
            self.unnamed += 1


def lay_out(read: Read, entries: Sequence[tuple[str, int]], folder: str, *, public: bool) -> dict[str, str]:
    """Write files of these paths and sizes, one after the other from `read`; path -> digest. public: anybody reads."""
    digests = {}
    for path, size in entries:
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), 0o755 if public else 0o700, exist_ok=True)
        digest = hashlib.sha256()
        with open(target, "xb") as file:
            while size:
                piece = read(min(size, PIECE))
                digest.update(piece)
                file.write(piece)
                size -= len(piece)
            os.fchmod(file.fileno(), 0o444 if public else 0o600)
        digests[path] = digest.hexdigest()
    return digests


def find_changes(sent: dict[str, str], limits: dict[str, Any], first: str | None) -> Found:
    """Of the current directory. `first`, the predictions, comes back whatever else does, within `first_bytes`."""
    found = Found()
    kept, returned = set(), 0
    for path, size in _regular_files(found):
        kept.add(path)
        most = limits["first_bytes"] if path == first else limits["file_bytes"]
        if size <= most or path in sent:
            try:
                same = sent.get(path) == _digest(path)
            except OSError as error:
                found.leave_out(path, error.strerror or "it cannot be read")
                continue
            if same:
                continue
        if size > most:
            found.leave_out(path, f"{size:,} bytes; {most:,} are allowed")
        elif path == first:
            found.files.insert(0, (path, size))
        elif returned + size > limits["returned_bytes"] or len(found.files) >= limits["returned_files"]:
            found.leave_out(
                path, f"beyond {limits['returned_files']} files or {limits['returned_bytes']:,} bytes in all"
            )
        else:
            returned += size
            found.files.append((path, size))
    found.removed = [path for path in sent if path not in kept]
    if found.unnamed:
        found.left_out.append(f"and {found.unnamed:,} more")
    return found


def read_back(files: Sequence[tuple[str, int]]) -> Iterator[bytes]:
    """Their contents, one after the other, each of exactly the size it was found with."""
    for path, size in files:
        with open(_open(path), "rb") as file:
            while size:
                piece = file.read(min(size, PIECE))
                if not piece:
                    raise OSError("a file became shorter though nothing runs any more")
                size -= len(piece)
                yield piece


def _regular_files(found: Found) -> Iterator[tuple[str, int]]:
    """Relative path and size, sorted by folder. Links and special files are left out."""
    looked_at = 0
    todo = [""]
    while todo:
        inside = todo.pop()
        try:
            entries = list(islice(os.scandir(inside or "."), MAX_LOOKED_AT))
        except OSError as error:
            found.leave_out(inside or ".", error.strerror or "it cannot be read")
            continue
        deeper = []
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = os.path.join(inside, entry.name)
            looked_at += 1
            if looked_at > MAX_LOOKED_AT:
                found.leave_out(path, f"beyond the first {MAX_LOOKED_AT:,} entries")
                return
            status = entry.stat(follow_symlinks=False)
            if len(os.fsencode(path)) > MAX_PATH or not path.isprintable():
                found.leave_out(path, "its path is too long or not printable")
            elif stat.S_ISDIR(status.st_mode):
                deeper.append(path)
            elif stat.S_ISREG(status.st_mode):
                yield path, status.st_size
            elif path != INPUTS:  # our own link to the read-only data
                found.leave_out(path, "a link" if stat.S_ISLNK(status.st_mode) else "no regular file")
        todo += reversed(deeper)


def _digest(path: str) -> str:
    with open(_open(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("no regular file")
    return descriptor
