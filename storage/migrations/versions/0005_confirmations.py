"""Rounds of confirmation, what came of them, and where gains come from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def position() -> sa.Column[int]:
    return sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "confirmation_rounds",
        position(),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("family", sa.JSON(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=True),
        sa.Column("suite", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("data_sets", sa.JSON(), nullable=False),
        sa.Column("seeds", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in ("margin", "alpha", "wealth")),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_after", sa.Integer(), nullable=True),
        sa.Column("best", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("position", name="confirmation_rounds_pk"),
        *(sa.UniqueConstraint(name, name=f"confirmation_rounds_{name}_key") for name in ("id", "number", "seeds")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="confirmation_rounds_request_id_fk"),
    )
    op.create_table(
        "confirmations",
        position(),
        sa.Column("round_id", sa.String(), nullable=False),
        sa.Column("hypothesis_id", sa.String(), nullable=False),
        sa.Column("finding", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=True) for name in ("mean", "unseen", "effect", "b_wr", "bsota_wr")),
        sa.Column("p", sa.Float(), nullable=False),
        sa.Column("adjusted_p", sa.Float(), nullable=False),
        sa.Column("step_size_effect", sa.Boolean(), nullable=False),
        sa.Column("split", sa.Boolean(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="confirmations_pk"),
        sa.UniqueConstraint("round_id", "hypothesis_id", name="confirmations_round_id_hypothesis_id_key"),
        sa.ForeignKeyConstraint(["round_id"], ["confirmation_rounds.id"], name="confirmations_round_id_fk"),
        sa.ForeignKeyConstraint(["hypothesis_id"], ["hypotheses.id"], name="confirmations_hypothesis_id_fk"),
    )
    op.create_table(
        "origins",
        position(),
        sa.Column("hypothesis_id", sa.String(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="origins_pk"),
        sa.UniqueConstraint("hypothesis_id", name="origins_hypothesis_id_key"),
        sa.ForeignKeyConstraint(["hypothesis_id"], ["hypotheses.id"], name="origins_hypothesis_id_fk"),
    )
