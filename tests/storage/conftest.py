"""Databases to test on: SQLite always; PostgreSQL where a server can be reached or started."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlmodel import SQLModel

from storage import (  # noqa: F401  (all fill SQLModel.metadata)
    finding_tables,
    idea_tables,
    message_tables,
    notebook_tables,
    paper_tables,
    score_tables,
    suite_tables,
    tables,
)
from storage.database import open_database, writing

DATABASES = ["sqlite", "postgresql"]


def program(name: str) -> str | None:
    packaged = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))  # Debian keeps them off the PATH
    return shutil.which(name) or (str(packaged[-1]) if packaged else None)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a server's database, from CONJECTURE_TEST_DATABASE_URL or of a server started for these tests."""
    given = os.environ.get("CONJECTURE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    if not initdb or not pg_ctl:
        pytest.skip("no PostgreSQL: install postgresql, or set CONJECTURE_TEST_DATABASE_URL")
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    with TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, user)

        def run(*command: str) -> None:
            subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, env={"LC_ALL": "C"})

        run(initdb, "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", f"{folder}/data")
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c timezone=Asia/Kolkata"
        run(pg_ctl, "-w", "-D", f"{folder}/data", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run(pg_ctl, "-D", f"{folder}/data", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def postgresql_engine(postgresql_server: str) -> Iterator[Engine]:
    engine = open_database(postgresql_server)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('database')}/conjecture.db")
    yield engine
    engine.dispose()


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """An up-to-date database without a row in it."""
    opened: Engine = request.getfixturevalue(f"{request.param}_engine")
    empty(opened)
    return opened


@pytest.fixture(scope="session")
def empty_tables() -> Callable[[Engine], None]:
    return empty


def empty(engine: Engine) -> None:
    with writing(engine) as session:
        for table in reversed(SQLModel.metadata.sorted_tables):
            session.connection().execute(table.delete())


@pytest.fixture(params=DATABASES)
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that nobody opened yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new.db"
        return
    server: str = request.getfixturevalue("postgresql_server")
    admin = create_engine(server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    name = f"new_{tmp_path.name.replace('-', '_').lower()}"[:60]
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield server.replace("/postgres?", f"/{name}?")
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()
