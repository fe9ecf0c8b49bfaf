"""The notebook: what is kept of experiments, so that a crash loses nothing that was paid for."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock
from typing import Protocol

from engine.errors import UnknownThing
from engine.experiment.steps import Experiment, Step


class Notebook(Protocol):
    """Thread-safe. Recording again, an experiment under its id or a step under its key, changes nothing."""

    def begin(self, experiment: Experiment) -> None: ...

    def experiment(self, experiment_id: str) -> Experiment:
        """Raises UnknownThing."""
        ...

    def experiments(self) -> list[Experiment]:
        """In the order in which they were begun."""
        ...

    def record(self, experiment_id: str, step: Step) -> None:
        """Raises UnknownThing for an experiment that was not begun."""
        ...

    def steps(self, experiment_id: str) -> Sequence[Step]:
        """In the order of recording."""
        ...


class MemoryNotebook:
    """One that forgets: for one experiment from the command line and for tests."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._experiments: dict[str, Experiment] = {}
        self._steps: dict[str, dict[str, Step]] = {}

    def begin(self, experiment: Experiment) -> None:
        with self._lock:
            self._experiments.setdefault(experiment.id, experiment)
            self._steps.setdefault(experiment.id, {})

    def experiment(self, experiment_id: str) -> Experiment:
        with self._lock:
            if experiment_id not in self._experiments:
                raise UnknownThing(f"No experiment {experiment_id!r} is recorded.")
            return self._experiments[experiment_id]

    def experiments(self) -> list[Experiment]:
        with self._lock:
            return list(self._experiments.values())

    def record(self, experiment_id: str, step: Step) -> None:
        self.experiment(experiment_id)
        with self._lock:
            self._steps[experiment_id].setdefault(step.key, step)

    def steps(self, experiment_id: str) -> Sequence[Step]:
        self.experiment(experiment_id)
        with self._lock:
            return list(self._steps[experiment_id].values())
