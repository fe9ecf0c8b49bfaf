"""The suite that a request names, and the grid that a score's factor was chosen from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """What was measured before keeps null: its factor is not known."""
    op.add_column("requests", sa.Column("suite", sa.String(), nullable=False, server_default="screen"))
    for table in ("scores", "baseline_trials"):
        op.add_column(table, sa.Column("factor", sa.Float(), nullable=True))
        op.add_column(table, sa.Column("grid", sa.JSON(), nullable=True))
