"""Opening a database: by several at once, from anywhere, after a crash, and what is said when it cannot be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

from storage.database import VERSION_TABLE, open_database, reading, writing
from storage.errors import DatabaseUnavailable
from storage.journal import SqlJournal

OPEN_AND_RECORD = """
import sys
from datetime import UTC, datetime
from engine.request import Request
from storage.database import open_database
from storage.journal import SqlJournal

def request(n):
    return Request(id=f"{sys.argv[2]}-{n}", text="", kinds=(), count=1, strategies=(), purpose="", asked_by="",
                   created_at=datetime.now(UTC))

print("ready", flush=True)
sys.stdin.readline()
journal = SqlJournal(open_database(sys.argv[1]))
"""
RECORD_TEN = OPEN_AND_RECORD + "for n in range(10): journal.record_request(request(n))"
RECORD_FOR_EVER = OPEN_AND_RECORD + ("for n in range(10**9): journal.record_request(request(n)); print(n, flush=True)")


def start(script: str, url: str, name: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, url, name]
    process = subprocess.Popen(command, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_migrations_make_the_tables_that_the_rows_describe(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_processes_that_open_a_new_database_at_once_all_succeed(new_database: str, tmp_path: Path) -> None:
    processes = [start(RECORD_TEN, new_database, f"p{n}", tmp_path) for n in range(3)]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] is not None and process.returncode for process in processes] == [0] * 3
    engine = open_database(new_database)
    with reading(engine) as session:
        assert session.connection().execute(text("SELECT count(*) FROM requests")).scalar() == 30
    engine.dispose()


def test_what_a_killed_process_had_recorded_is_there(new_database: str, tmp_path: Path) -> None:
    process = start(RECORD_FOR_EVER, new_database, "p", tmp_path)
    assert process.stdin
    assert process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    last = [process.stdout.readline() for _ in range(30)][-1].strip()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    engine = open_database(new_database)
    assert SqlJournal(engine).request(f"p-{last}").count == 1
    engine.dispose()


def test_a_reader_does_not_wait_for_a_writer(engine: Engine) -> None:
    with writing(engine) as session:
        session.connection().execute(text("INSERT INTO stops (request_id) VALUES ('r1')"))
        assert not SqlJournal(engine).stopped("r1")
    assert SqlJournal(engine).stopped("r1")


def test_a_block_that_raises_leaves_nothing(engine: Engine) -> None:
    def fail() -> None:
        with writing(engine) as session:
            session.connection().execute(text("INSERT INTO stops (request_id) VALUES ('r1')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not SqlJournal(engine).stopped("r1")


def test_a_database_of_a_newer_version_is_refused_with_advice(new_database: str) -> None:
    engine = open_database(new_database)
    with writing(engine) as session:
        session.connection().execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'from the future'"))
    engine.dispose()
    with pytest.raises(DatabaseUnavailable, match=r"newer version.*Update Conjecture"):
        open_database(new_database)


def test_a_missing_folder_is_told_with_advice(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"missing/x\.db cannot be opened.*folder exists"):
        open_database(f"sqlite:///{tmp_path}/missing/x.db")


def test_a_file_that_is_no_database_is_told_with_advice(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("something else entirely, and long enough to be looked at" * 20)
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        open_database(f"sqlite:///{tmp_path}/x.db")


def test_an_unreachable_server_is_told_without_the_password() -> None:
    with pytest.raises(DatabaseUnavailable, match="Check that the server runs") as caught:
        open_database("postgresql://someone:hunter2@127.0.0.1:1/name")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="does not survive a restart"):
        open_database(url)


@pytest.mark.parametrize("url", ["", "conjecture.db", "mysql://localhost/x"])
def test_another_url_is_refused_with_examples(url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"Expected sqlite:////absolute/path or postgresql://"):
        open_database(url)


def test_the_file_may_be_called_anything(tmp_path: Path) -> None:
    folder = tmp_path / "Ünï cödé 100% + more"
    folder.mkdir()
    open_database(f"sqlite:///{folder}/x.db").dispose()
    assert os.listdir(folder) == ["x.db"]
