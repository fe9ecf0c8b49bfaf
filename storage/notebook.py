"""The engine's notebook of experiments in a database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from engine.errors import UnknownThing
from engine.experiment.steps import Experiment, Step
from sandbox.workspace import Workspace
from storage.database import insert_once, is_missing_reference, reading, writing
from storage.notebook_tables import Digests, ExperimentRow, FileRow, StepRow


class SqlNotebook:
    """Thread-safe: each call is one transaction on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, experiment: Experiment) -> None:
        with writing(self._engine) as session:
            insert_once(session, ExperimentRow.of(experiment), "id")

    def experiment(self, experiment_id: str) -> Experiment:
        with reading(self._engine) as session:
            row = session.exec(select(ExperimentRow).where(ExperimentRow.id == experiment_id)).first()
        if row is None:
            raise _unknown(experiment_id)
        return row.value()

    def experiments(self) -> list[Experiment]:
        with reading(self._engine) as session:
            return [row.value() for row in session.exec(select(ExperimentRow).order_by(col(ExperimentRow.position)))]

    def record(self, experiment_id: str, step: Step) -> None:
        try:
            with writing(self._engine) as session:
                written = _kept(session, step.change.written if step.change else None)
                outputs = _kept(session, step.outputs)
                insert_once(session, StepRow.of(experiment_id, step, written, outputs), "experiment_id", "key")
        except IntegrityError as error:
            if is_missing_reference(error):
                raise _unknown(experiment_id) from error
            raise

    def steps(self, experiment_id: str) -> Sequence[Step]:
        self.experiment(experiment_id)
        asked = select(StepRow).where(StepRow.experiment_id == experiment_id).order_by(col(StepRow.position))
        with reading(self._engine) as session:
            rows = session.exec(asked).all()
            digests = {digest for row in rows for digest in row.digests}
            files = session.exec(select(FileRow).where(col(FileRow.digest).in_(digests)))
            contents = {row.digest: row.content for row in files}
        return [row.value(contents) for row in rows]


def _kept(session: Session, files: Workspace | None) -> Digests | None:
    if files is None:
        return None
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    for path, digest in digests.items():
        insert_once(session, FileRow(digest=digest, content=files[path]), "digest")
    return digests


def _unknown(experiment_id: str) -> UnknownThing:
    return UnknownThing(f"No experiment {experiment_id!r} is recorded.")
