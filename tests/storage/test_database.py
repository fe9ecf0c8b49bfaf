"""Opening a database: by several at once, from anywhere, after a crash, and what is said when it cannot be."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

from engine.request import Request
from storage.database import VERSION_TABLE, open_database, reading, writing
from storage.errors import DatabaseUnavailable
from storage.journal import SqlJournal

PROCESSES = multiprocessing.get_context("fork")  # the test's imports are there already: all start at the same time


def record(url: str, name: str, count: int, start: Barrier, recorded: Any) -> None:
    start.wait()
    journal = SqlJournal(open_database(url))
    for n in range(count):
        id = f"{name}-{n}"
        journal.record_request(
            Request(
                id=id,
                text="",
                kinds=(),
                count=1,
                strategies=(),
                purpose="",
                asked_by="",
                created_at=datetime.now(UTC),
            )
        )
        recorded.value = n


def started(url: str, processes: int, count: int) -> list[tuple[BaseProcess, Any]]:
    barrier = PROCESSES.Barrier(processes)
    counters = [PROCESSES.RawValue("i", -1) for _ in range(processes)]
    made = [
        PROCESSES.Process(target=record, args=(url, f"p{n}", count, barrier, counter), daemon=True)
        for n, counter in enumerate(counters)
    ]
    for process in made:
        process.start()
    return list(zip(made, counters, strict=True))


def is_no_index_of_words(_object: object, name: str | None, *_rest: object) -> bool:
    return not (name or "").startswith("passage_words")


def test_the_migrations_make_the_tables_that_the_rows_describe(engine: Engine) -> None:
    with engine.connect() as connection:
        # An index of words is no table of ours: SQLite has several behind it, PostgreSQL an index on an expression.
        opts = {"version_table": VERSION_TABLE, "compare_type": True, "include_object": is_no_index_of_words}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_processes_that_open_a_new_database_at_once_all_succeed(new_database: str) -> None:
    processes = [process for process, _ in started(new_database, 4, 5)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    engine = open_database(new_database)
    with reading(engine) as session:
        assert session.connection().execute(text("SELECT count(*) FROM requests")).scalar() == 20
    engine.dispose()


def test_what_a_killed_process_had_recorded_is_there(new_database: str) -> None:
    ((process, recorded),) = started(new_database, 1, 10**9)
    while recorded.value < 20:
        process.join(0.01)
        assert process.is_alive()
    process.kill()
    process.join()
    engine = open_database(new_database)
    assert SqlJournal(engine).request(f"p0-{recorded.value}").count == 1
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


def test_the_migrations_are_found_from_any_folder(tmp_path: Path) -> None:
    script = "from storage.database import open_database; open_database('sqlite:///here.db').dispose()"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    assert (tmp_path / "here.db").exists()
