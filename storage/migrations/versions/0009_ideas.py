"""Papers that are read in threads, ideas from them, and votes on those."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "readings",
        sa.Column("position", POSITION, primary_key=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("inquiry_id", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("paper_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.UniqueConstraint("id", name="readings_id_key"),
        sa.ForeignKeyConstraint(["inquiry_id"], ["inquiries.id"], name="readings_inquiry_id_fk"),
    )
    op.create_index("readings_inquiry_id_index", "readings", ["inquiry_id"])
    op.create_table(
        "ideas",
        sa.Column("position", POSITION, primary_key=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("reading_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("title", "hypothesis", "novelty", "code")),
        sa.Column("quote", sa.Text(), nullable=True),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("catalogue_id", sa.String(), nullable=True),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("id", name="ideas_id_key"),
        sa.UniqueConstraint("reading_id", "number", name="ideas_reading_id_number_key"),
        sa.ForeignKeyConstraint(["reading_id"], ["readings.id"], name="ideas_reading_id_fk"),
    )
    op.create_table(
        "idea_votes",
        sa.Column("position", POSITION, primary_key=True),
        sa.Column("idea_id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("thumbs_up", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("idea_id", "person", name="idea_votes_idea_id_person_key"),
        sa.ForeignKeyConstraint(["idea_id"], ["ideas.id"], name="idea_votes_idea_id_fk"),
    )
