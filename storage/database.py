"""Opens the database and brings its tables up to date."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlmodel import Session, SQLModel

from storage.errors import DatabaseUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "conjecture_version"  # of our own, so that another program's alembic may share the database
MIGRATION_LOCK = 0x636F6E6A  # any number, the same in all processes: PostgreSQL's advisory lock around migrations
BUSY_SECONDS = 30  # how long SQLite waits for another process's write
BEGIN = "sqlite_begin"  # execution option: how a transaction starts on SQLite


def database_url(url: str) -> URL:
    """The parsed URL, with the driver that is installed. Raises ValueError, in words, for one that cannot be used."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("it is not a database URL") from None
    backend = parsed.drivername.split("+")[0]
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or parsed.query.get("mode") == "memory":
            raise ValueError("it names no file, and a database in memory does not survive a restart")
        return parsed.set(drivername="sqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(f"{backend!r} is not supported")


def open_database(url: str) -> Engine:
    """An engine on up-to-date tables. `url` is `sqlite:////path/to/file` or `postgresql://user:password@host/name`.

    Any number of processes may open the same new database at once. Raises DatabaseUnavailable.
    """
    try:
        parsed = database_url(url)
    except ValueError as error:
        raise DatabaseUnavailable(
            f"The database URL cannot be used: {error}. Expected sqlite:////absolute/path or "
            "postgresql://user:password@host:port/name."
        ) from error
    shown = parsed.render_as_string(hide_password=True)
    options: dict[str, Any] = {"json_serializer": partial(json.dumps, allow_nan=False)}
    engine = create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite", **options)
    try:
        if parsed.get_backend_name() == "sqlite":
            _prepare_sqlite(engine)
        _migrate(engine)
    except (SQLAlchemyError, sqlite3.Error, CommandError) as error:
        engine.dispose()
        raise DatabaseUnavailable(_advice(shown, error)) from error
    return engine


def _advice(shown: str, error: Exception) -> str:
    if isinstance(error, CommandError):
        return f"The database {shown} was written by a newer version of Conjecture ({error}). Update Conjecture."
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    kind = "Check that the file's folder exists, is writable and has space left."
    if not shown.startswith("sqlite"):
        kind = "Check that the server runs, and the user, password and name in the URL."
    return f"The database {shown} cannot be opened: {reason}. {kind}"


def _prepare_sqlite(engine: Engine) -> None:
    """SQLite as a database for several threads and processes: readers never wait, writers wait for one another."""

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver would start transactions late, and never around DDL
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that will write takes its place at once: one that turned from reading to writing later
        # would be refused, not made to wait, when another wrote in between.
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(BEGIN, 'DEFERRED')}")

    connection = engine.raw_connection()
    try:
        _write_ahead(connection.cursor())
    finally:
        connection.close()


def _write_ahead(cursor: DBAPICursor) -> None:
    """Change the file's journal mode, which stays with it. SQLite refuses at once while another process does the same,
    whatever the busy timeout is, so that waiting is ours."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _for_writing(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _for_writing(engine: Engine) -> Engine:
    return engine.execution_options(**{BEGIN: "IMMEDIATE"})


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One transaction: all of it is kept when the block ends, none of it when the block raises."""
    with Session(_for_writing(engine)) as session, session.begin():
        yield session


def is_missing_reference(error: IntegrityError) -> bool:
    """Whether a row was refused because it refers to one that is not there."""
    codes = (getattr(error.orig, "sqlite_errorname", None), getattr(error.orig, "sqlstate", None))
    return codes in (("SQLITE_CONSTRAINT_FOREIGNKEY", None), (None, "23503"))


def table_of(row: type[SQLModel]) -> Table:
    table: Table = row.__table__  # type: ignore[attr-defined]
    return table


def upsert(session: Session, rows: Sequence[SQLModel], *key: str) -> None:
    """Insert rows of one table; one that is there already under `key` is replaced and keeps its position."""
    if not rows:
        return
    insert = _insert(session, rows[0])
    names = _names(rows[0])
    replaced = {name: insert.excluded[name] for name in names if name not in key}
    if replaced:
        statement = insert.on_conflict_do_update(index_elements=key, set_=replaced)
    else:
        statement = insert.on_conflict_do_nothing(index_elements=key)
    session.connection().execute(statement, [{name: getattr(row, name) for name in names} for row in rows])


def insert_once(session: Session, row: SQLModel, *key: str) -> bool:
    """Insert a row unless there is one under `key`, which then stays as it is. Whether it was inserted."""
    values = {name: getattr(row, name) for name in _names(row)}
    insert = _insert(session, row).values(values).on_conflict_do_nothing(index_elements=key)
    inserted = session.connection().execute(insert.returning(table_of(type(row)).c.position))
    return inserted.first() is not None


def _insert(session: Session, row: SQLModel) -> sqlite.Insert | postgresql.Insert:
    # Two dialects with the same words for it; SQL itself has none that both know.
    table = table_of(type(row))
    return postgresql.insert(table) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


def _names(row: SQLModel) -> list[str]:
    return [column.key for column in table_of(type(row)).columns if column.key != "position"]
