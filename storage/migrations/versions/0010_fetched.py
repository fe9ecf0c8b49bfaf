"""What experiments were given from a hub."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Nothing was fetched before."""
    op.add_column("experiment_steps", sa.Column("fetched", sa.JSON(), nullable=True))
