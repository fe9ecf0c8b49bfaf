"""Databases that an older version wrote are brought up to date and lose nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text

from engine.score import Trial
from storage.database import MIGRATIONS, database_url, open_database
from storage.journal import SqlJournal

FIRST_VERSION = """
INSERT INTO requests (id, text, kinds, count, counts, strategies, purpose, asked_by, created_at)
    VALUES ('r1', 'propose', '["activation"]', 1, '[1]', '["novel"]', '', 'U1', '2026-01-02 03:04:05+00:00');
INSERT INTO hypotheses (id, request_id, kind, title, claim, rationale, inspiration, source, strategy, generator)
    VALUES ('h1', 'r1', 'activation', 'T', '', '', '', 'x', 'novel', 'offline catalogue');
INSERT INTO scores
    (hypothesis_id, suite, seeds, trials, b_wr, bsota_wr, effect, diverged, seconds, tier, sandbox, device)
    VALUES ('h1', 'screen-2/0', '0,1', '[["digits/mlp2", 0, 0.25, 0.75], ["digits/mlp2", 1, null, null]]',
            '[0.5, 0.4, 0.6]', '[0.1, 0.0, 0.2]', '[0.0, -0.1, 0.1]', 1, 1.5, 'direct', 'docker', 'cpu');
INSERT INTO baseline_trials (kind, baseline, suite, seeds, torch_version, device, code_digest, trials, seconds)
    VALUES ('activation', 'ReLU', 'screen-2/0', '0,1', '2', 'cpu', 'd', '[["digits/mlp2", 0, 0.25, 0.75]]', 2.0)
"""


@pytest.fixture
def upgraded(new_database: str) -> Iterator[SqlJournal]:
    """A journal on a database that the first version had written to."""
    old = create_engine(database_url(new_database))
    with old.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in FIRST_VERSION.split(";\n"):
            connection.execute(text(statement.replace("'x', 'novel'", source(old))))
    old.dispose()
    engine = open_database(new_database)
    yield SqlJournal(engine)
    engine.dispose()


def source(engine: Engine) -> str:
    return "CAST('x' AS BYTEA), 'novel'" if engine.dialect.name == "postgresql" else "CAST('x' AS BLOB), 'novel'"


def test_a_score_of_the_first_version_keeps_its_figures_and_has_no_factor(upgraded: SqlJournal) -> None:
    (score,) = upgraded.scores("r1")
    assert (score.b_wr.value, score.diverged, score.factor, score.grid) == (0.5, 1, None, ())
    assert score.trials == (
        Trial(cell="digits/mlp2", seed=0, loss=0.25, accuracy=0.75),
        Trial(cell="digits/mlp2", seed=1, loss=None, accuracy=None),
    )


def test_a_baseline_of_the_first_version_has_no_factor(upgraded: SqlJournal) -> None:
    (kept,) = upgraded.baselines("activation", "screen-2/0", (0, 1), "2", "cpu")
    assert (kept.factor, kept.grid, kept.trials[0].final_loss) == (None, (), None)


def test_a_request_of_the_first_version_was_for_the_screening(upgraded: SqlJournal) -> None:
    assert upgraded.request("r1").suite == "screen"
