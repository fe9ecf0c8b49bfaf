"""Experiments, their steps, and the files of their workspaces."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("position", POSITION, primary_key=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("budget", sa.JSON(), nullable=False),
        sa.Column("material", sa.JSON(), nullable=False),
        sa.Column("ready", sa.JSON(), nullable=True),
        sa.UniqueConstraint("id", name="experiments_id_key"),
    )
    op.create_table(
        "experiment_files",
        sa.Column("position", POSITION, primary_key=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("digest", name="experiment_files_digest_key"),
    )
    op.create_table(
        "experiment_steps",
        sa.Column("position", POSITION, primary_key=True),
        sa.Column("experiment_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("text", "person", "thought")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("tool", "arguments", "call_id")),
        sa.Column("why", sa.String(), nullable=True),
        sa.Column("finish", sa.Boolean(), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=True) for name in ("written", "removed", "outputs", "trial")),
        sa.Column("spent", sa.JSON(), nullable=False),
        sa.UniqueConstraint("experiment_id", "key", name="experiment_steps_experiment_id_key_key"),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="experiment_steps_experiment_id_fk"),
    )
