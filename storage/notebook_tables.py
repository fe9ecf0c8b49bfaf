"""The rows of experiments and their steps. Private to storage (see tables.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from engine.experiment.fetched import read_fetched
from engine.experiment.judge import Arm, Trial
from engine.experiment.plan import Cost, read_plan
from engine.experiment.steps import Budget, Change, Experiment, Kind, Material, Ready, Spent, Step, Why
from engine.llm.calling import Call
from sandbox.workspace import Workspace
from storage.columns import Json, Words
from storage.tables import counted

Digests = dict[str, str]  # path -> digest of its content


class ExperimentRow(SQLModel, table=True):
    __tablename__ = "experiments"

    position: int | None = counted()
    id: str = Field(unique=True)
    plan: dict[str, Any] = Field(sa_type=Json)
    budget: dict[str, Any] = Field(sa_type=Json)
    material: list[dict[str, Any]] = Field(sa_type=Json)
    ready: dict[str, str] | None = Field(sa_type=Json, nullable=True)

    @classmethod
    def of(cls, experiment: Experiment) -> ExperimentRow:
        return cls(
            id=experiment.id,
            plan=experiment.plan.as_json(),
            budget=asdict(experiment.budget),
            material=[asdict(one) for one in experiment.material],
            ready=asdict(experiment.ready) if experiment.ready else None,
        )

    def value(self) -> Experiment:
        cost = self.plan["cost"]
        plan = read_plan(self.plan)
        return Experiment(
            id=self.id,
            plan=replace(plan, cost=Cost(**cost)) if cost else plan,
            budget=Budget(**self.budget),
            material=tuple(Material(**{**one, "numbers": tuple(one["numbers"])}) for one in self.material),
            ready=Ready(**self.ready) if self.ready else None,
        )


class FileRow(SQLModel, table=True):
    """A file of a workspace, once for each content."""

    __tablename__ = "experiment_files"

    position: int | None = counted()
    digest: str = Field(unique=True)
    content: bytes


class StepRow(SQLModel, table=True):
    __tablename__ = "experiment_steps"
    __table_args__ = (UniqueConstraint("experiment_id", "key"),)

    position: int | None = counted()
    experiment_id: str = Field(foreign_key="experiments.id")
    key: str
    kind: str
    text: str = Field(sa_type=Words)
    person: str = Field(sa_type=Words)
    thought: str = Field(sa_type=Words)
    tool: str | None = Field(sa_type=Words, nullable=True)
    arguments: str | None = Field(sa_type=Words, nullable=True)
    call_id: str | None = Field(sa_type=Words, nullable=True)
    why: str | None = Field(nullable=True)
    finish: bool
    usable: bool
    written: dict[str, str] | None = Field(sa_type=Json, nullable=True)  # paths and digests
    removed: list[str] | None = Field(sa_type=Json, nullable=True)
    outputs: dict[str, str] | None = Field(sa_type=Json, nullable=True)
    trial: dict[str, Any] | None = Field(sa_type=Json, nullable=True)
    fetched: dict[str, Any] | None = Field(sa_type=Json, nullable=True)  # names and digests, never contents
    spent: dict[str, Any] = Field(sa_type=Json)

    @classmethod
    def of(cls, experiment_id: str, step: Step, written: Digests | None, outputs: Digests | None) -> StepRow:
        plain = {name: getattr(step, name) for name in ("key", "text", "person", "thought", "finish", "usable")}
        return cls(
            **plain,
            experiment_id=experiment_id,
            kind=str(step.kind),
            tool=step.call.tool if step.call else None,
            arguments=step.call.arguments if step.call else None,
            call_id=step.call.id if step.call else None,
            why=str(step.why) if step.why else None,
            written=written,
            removed=list(step.change.removed) if step.change else None,
            outputs=outputs,
            trial=asdict(step.trial) if step.trial else None,
            fetched=step.fetched.as_json() if step.fetched else None,
            spent=asdict(step.spent),
        )

    @property
    def digests(self) -> set[str]:
        return {*(self.written or {}).values(), *(self.outputs or {}).values()}

    def value(self, contents: Mapping[str, bytes]) -> Step:
        """contents: by digest, at least of this row's files."""

        def files(digests: Digests | None) -> Workspace:
            return {path: contents[digest] for path, digest in (digests or {}).items()}

        plain = {name: getattr(self, name) for name in ("key", "text", "person", "thought", "finish", "usable")}
        return Step(
            **plain,
            kind=Kind(self.kind),
            call=None
            if self.tool is None
            else Call(tool=self.tool, arguments=self.arguments or "", id=self.call_id or ""),
            why=Why(self.why) if self.why else None,
            change=None
            if self.written is None
            else Change(written=files(self.written), removed=tuple(self.removed or ())),
            outputs=None if self.outputs is None else files(self.outputs),
            trial=None if self.trial is None else Trial(**{**self.trial, "arm": Arm(self.trial["arm"])}),
            fetched=None if self.fetched is None else read_fetched(self.fetched),
            spent=Spent(**self.spent),
        )
