"""The first tables: the engine's journal, and the messages that came in and went out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_requests()
    create_hypotheses()
    create_verdicts_and_choices()
    create_scores_and_baselines()
    create_feedback_and_snapshots()
    create_messages()


def position() -> sa.Column[int]:
    """SQLite counts only a primary key that is declared INTEGER."""
    return sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def create_requests() -> None:
    op.create_table(
        "requests",
        position(),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("strategies", sa.JSON(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("position", name="requests_pk"),
        sa.UniqueConstraint("id", name="requests_id_key"),
    )
    op.create_table(
        "stops",
        position(),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="stops_pk"),
        sa.UniqueConstraint("request_id", name="stops_request_id_key"),
    )
    op.create_table(
        "generator_faults",
        position(),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="generator_faults_request_id_fk"),
        sa.PrimaryKeyConstraint("position", name="generator_faults_pk"),
        sa.UniqueConstraint("request_id", name="generator_faults_request_id_key"),
    )


def create_hypotheses() -> None:
    op.create_table(
        "hypotheses",
        position(),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("inspiration", sa.Text(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("generator", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(), nullable=True),
        sa.Column("prompt_digest", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="hypotheses_request_id_fk"),
        sa.PrimaryKeyConstraint("position", name="hypotheses_pk"),
        sa.UniqueConstraint("id", name="hypotheses_id_key"),
    )
    op.create_index("hypotheses_kind_index", "hypotheses", ["kind"])
    op.create_index("hypotheses_request_id_index", "hypotheses", ["request_id"])


def create_verdicts_and_choices() -> None:
    op.create_table(
        "verdicts",
        position(),
        sa.Column("hypothesis_id", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("check", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("behaviour", sa.LargeBinary(), nullable=False),
        sa.Column("novelty", sa.JSON(), nullable=True),
        sa.Column("parameters", sa.BigInteger(), nullable=True),
        sa.Column("cost_ratio", sa.Float(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("sandbox", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["hypothesis_id"], ["hypotheses.id"], name="verdicts_hypothesis_id_fk"),
        sa.PrimaryKeyConstraint("position", name="verdicts_pk"),
        sa.UniqueConstraint("hypothesis_id", name="verdicts_hypothesis_id_key"),
    )
    op.create_table(
        "choices",
        position(),
        sa.Column("hypothesis_id", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("measured", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("predicted_b_wr", sa.Float(), nullable=True),
        sa.Column("predicted_spread", sa.Float(), nullable=True),
        sa.Column("model_version", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["hypothesis_id"], ["hypotheses.id"], name="choices_hypothesis_id_fk"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="choices_request_id_fk"),
        sa.PrimaryKeyConstraint("position", name="choices_pk"),
        sa.UniqueConstraint("request_id", "hypothesis_id", name="choices_request_id_hypothesis_id_key"),
    )


def create_scores_and_baselines() -> None:
    op.create_table(
        "scores",
        position(),
        sa.Column("hypothesis_id", sa.String(), nullable=False),
        sa.Column("suite", sa.String(), nullable=False),
        sa.Column("seeds", sa.Text(), nullable=False),
        sa.Column("trials", sa.JSON(), nullable=False),
        sa.Column("b_wr", sa.JSON(), nullable=False),
        sa.Column("bsota_wr", sa.JSON(), nullable=False),
        sa.Column("effect", sa.JSON(), nullable=False),
        sa.Column("diverged", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("sandbox", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["hypothesis_id"], ["hypotheses.id"], name="scores_hypothesis_id_fk"),
        sa.PrimaryKeyConstraint("position", name="scores_pk"),
        sa.UniqueConstraint("hypothesis_id", "suite", "seeds", name="scores_hypothesis_id_suite_seeds_key"),
    )
    op.create_table(
        "baseline_trials",
        position(),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("baseline", sa.String(), nullable=False),
        sa.Column("suite", sa.String(), nullable=False),
        sa.Column("seeds", sa.Text(), nullable=False),
        sa.Column("torch_version", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("code_digest", sa.String(), nullable=False),
        sa.Column("trials", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="baseline_trials_pk"),
        sa.UniqueConstraint(
            "kind", "baseline", "suite", "seeds", "torch_version", "device", "code_digest", name="baseline_trials_key"
        ),
    )


def create_feedback_and_snapshots() -> None:
    op.create_table(
        "feedback",
        position(),
        sa.Column("hypothesis_id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("thumbs_up", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["hypothesis_id"], ["hypotheses.id"], name="feedback_hypothesis_id_fk"),
        sa.PrimaryKeyConstraint("position", name="feedback_pk"),
        sa.UniqueConstraint("hypothesis_id", "person", name="feedback_hypothesis_id_person_key"),
    )
    op.create_table(
        "snapshots",
        position(),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("outcomes", sa.Integer(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("position", name="snapshots_pk"),
        sa.UniqueConstraint("kind", "version", name="snapshots_kind_version_key"),
    )


def create_messages() -> None:
    op.create_table(
        "inquiries",
        position(),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("ts", sa.String(), nullable=False),
        sa.Column("thread_ts", sa.String(), nullable=True),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("addressed", sa.Boolean(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("position", name="inquiries_pk"),
        sa.UniqueConstraint("id", name="inquiries_id_key"),
    )
    op.create_index("inquiries_channel_thread_ts_index", "inquiries", ["channel", "thread_ts"])
    op.create_index("inquiries_request_id_index", "inquiries", ["request_id"])
    op.create_index("inquiries_state_index", "inquiries", ["state"])
    op.create_table(
        "attachments",
        position(),
        sa.Column("inquiry_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mimetype", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["inquiry_id"], ["inquiries.id"], name="attachments_inquiry_id_fk"),
        sa.PrimaryKeyConstraint("position", name="attachments_pk"),
        sa.UniqueConstraint("inquiry_id", "digest", "name", name="attachments_inquiry_id_digest_name_key"),
    )
    op.create_table(
        "posts",
        position(),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("thread_ts", sa.String(), nullable=True),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ts", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("position", name="posts_pk"),
        sa.UniqueConstraint("key", name="posts_key_key"),
    )
    op.create_index("posts_channel_ts_index", "posts", ["channel", "ts"])
