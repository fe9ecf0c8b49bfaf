"""Files that people attach: kept once each, under the digest of what is in them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from storage.database import is_missing_reference, reading, upsert, writing
from storage.errors import DamagedRecord, NotRecorded
from storage.message_tables import AttachmentRow

DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    digest: str  # SHA-256 of the content, in hexadecimal
    name: str  # as the person named it: to be shown, never a path
    mimetype: str  # as claimed
    size: int  # bytes


class Files:
    """A folder of blobs. Thread-safe, and safe among processes: a blob is complete or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes, name: str, mimetype: str) -> File:
        digest = sha256(data).hexdigest()
        path = self._path(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, data)
        return File(digest=digest, name=name, mimetype=mimetype, size=len(data))

    def get(self, digest: str) -> bytes:
        """The content. Raises NotRecorded when it was never put, DamagedRecord when the disk changed it."""
        if not DIGEST.fullmatch(digest):
            raise NotRecorded(f"{digest!r} is not the digest of a file; expected 64 hexadecimal digits.")
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotRecorded(f"No file with digest {digest} is kept in {self._folder}.") from None
        if sha256(data).hexdigest() != digest:
            raise DamagedRecord(f"{path} is damaged: its content no longer has the digest in its name. Delete it.")
        return data

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


def _write(path: Path, data: bytes) -> None:
    with NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


class SqlAttachments:
    """Which files came with which message. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record_attachment(self, inquiry_id: str, file: File) -> None:
        """One per (inquiry, content, name). Raises NotRecorded when the inquiry was never received."""
        row = AttachmentRow(
            inquiry_id=inquiry_id, digest=file.digest, name=file.name, mimetype=file.mimetype, size=file.size
        )
        try:
            with writing(self._engine) as session:
                upsert(session, [row], "inquiry_id", "digest", "name")
        except IntegrityError as error:
            if is_missing_reference(error):
                raise NotRecorded(f"No inquiry {inquiry_id!r} was received.") from error
            raise

    def attached_to(self, inquiry_id: str) -> list[File]:
        query = select(AttachmentRow).where(AttachmentRow.inquiry_id == inquiry_id)
        with reading(self._engine) as session:
            rows = session.exec(query.order_by(col(AttachmentRow.position)))
            return [File(digest=r.digest, name=r.name, mimetype=r.mimetype, size=r.size) for r in rows]
