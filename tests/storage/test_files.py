"""Attached files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage.errors import DamagedRecord, NotRecorded
from storage.files import File, Files, SqlAttachments
from storage.inquiries import Inquiry, SqlInquiries


def on_disk(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\x00\xff", b"x" * 3_000_000], ids=["empty", "small", "large"])
def test_content_comes_back(tmp_path: Path, data: bytes) -> None:
    files = Files(tmp_path / "files")
    file = files.put(data, "paper.pdf", "application/pdf")
    assert file == File(digest=sha256(data).hexdigest(), name="paper.pdf", mimetype="application/pdf", size=len(data))
    assert files.get(file.digest) == data


def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert files.put(b"x", "a.pdf", "").digest == files.put(b"x", "b.pdf", "").digest
    assert len(on_disk(tmp_path)) == 1


def test_a_name_is_never_a_path(tmp_path: Path) -> None:
    files = Files(tmp_path / "files")
    files.put(b"x", "../../escaped", "")
    files.put(b"y", "/etc/escaped", "")
    assert not [path for path in on_disk(tmp_path) if "escaped" in path.name]


@pytest.mark.parametrize("digest", ["../secret", "", "A" * 64, "g" * 64, "a" * 63])
def test_what_is_no_digest_is_refused(tmp_path: Path, digest: str) -> None:
    (tmp_path / "secret").write_text("x")
    with pytest.raises(NotRecorded):
        Files(tmp_path / "files").get(digest)


def test_an_unknown_digest_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotRecorded, match="a" * 64):
        Files(tmp_path).get("a" * 64)


def test_damage_on_the_disk_is_told(tmp_path: Path) -> None:
    files = Files(tmp_path)
    file = files.put(b"x", "a.pdf", "")
    on_disk(tmp_path)[0].write_bytes(b"y")
    with pytest.raises(DamagedRecord, match=r"damaged.*Delete it"):
        files.get(file.digest)


def test_many_may_put_the_same_at_once(tmp_path: Path) -> None:
    files = Files(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        put = list(threads.map(lambda n: files.put(b"x" * 100_000, f"{n}.pdf", ""), range(16)))
    assert len(on_disk(tmp_path)) == 1
    assert files.get(put[0].digest) == b"x" * 100_000


def test_files_are_found_with_their_message(engine: Engine, tmp_path: Path) -> None:
    files, attachments, inquiries = Files(tmp_path), SqlAttachments(engine), SqlInquiries(engine)
    for ts in ("1", "2"):
        inquiries.receive(
            Inquiry(id=f"C-{ts}", channel="C", ts=ts, thread_ts=ts, person="U", text="", received_at=datetime.now(UTC))
        )
    paper, module = files.put(b"x", "paper.pdf", "application/pdf"), files.put(b"y", "act.py", "text/x-python")
    for file in (paper, module, paper):
        attachments.record_attachment("C-1", file)
    assert attachments.attached_to("C-1") == [paper, module]
    assert attachments.attached_to("C-2") == []


def test_a_file_of_a_message_that_never_came_is_refused(engine: Engine, tmp_path: Path) -> None:
    file = Files(tmp_path).put(b"x", "paper.pdf", "application/pdf")
    with pytest.raises(NotRecorded, match="'C-9'"):
        SqlAttachments(engine).record_attachment("C-9", file)
