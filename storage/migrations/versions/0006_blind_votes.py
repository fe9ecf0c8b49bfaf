"""Votes that were cast before anything was measured, and what a place in the order of evaluation is made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """All earlier votes saw figures. Choices made before keep null: their parts are not known."""
    op.add_column("choices", sa.Column("parts", sa.JSON(), nullable=True))
    with op.batch_alter_table("feedback") as feedback:
        feedback.add_column(sa.Column("blind", sa.Boolean(), nullable=False, server_default=sa.false()))
        feedback.drop_constraint("feedback_hypothesis_id_person_key", type_="unique")
        feedback.create_unique_constraint(
            "feedback_hypothesis_id_person_blind_key", ["hypothesis_id", "person", "blind"]
        )
