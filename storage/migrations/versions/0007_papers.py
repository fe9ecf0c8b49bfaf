"""Papers, their passages with an index of their words, and the passages' embeddings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# An index without a copy of the text, kept in step by triggers. Porter's stemmer, as PostgreSQL's English has.
FTS5 = """
CREATE VIRTUAL TABLE passage_words USING fts5(text, content='passages', content_rowid='position',
    tokenize='porter unicode61 remove_diacritics 2');
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
    INSERT INTO passage_words(rowid, text) VALUES (new.position, new.text);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
    INSERT INTO passage_words(passage_words, rowid, text) VALUES ('delete', old.position, old.text);
END
"""


def upgrade() -> None:
    op.create_table(
        "papers",
        sa.Column("position", POSITION, primary_key=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("abstract", sa.Text(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("sentences", sa.JSON(), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.UniqueConstraint("id", name="papers_id_key"),
    )
    op.create_table(
        "passages",
        sa.Column("position", POSITION, primary_key=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("paper_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.UniqueConstraint("id", name="passages_id_key"),
        sa.UniqueConstraint("paper_id", "number", name="passages_paper_id_number_key"),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name="passages_paper_id_fk"),
    )
    op.create_table(
        "passage_vectors",
        sa.Column("position", POSITION, primary_key=True),
        sa.Column("passage_id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("passage_id", "model", name="passage_vectors_passage_id_model_key"),
        sa.ForeignKeyConstraint(["passage_id"], ["passages.id"], name="passage_vectors_passage_id_fk"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE INDEX passage_words ON passages USING gin (to_tsvector('english', text))")
        return
    for statement in FTS5.split(";\nCREATE"):
        text = statement.strip().removeprefix("CREATE").rstrip(";")
        op.execute(f"CREATE {text}")
