"""What several jobs of one training came to, each on some of its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sandbox.execution import Execution
from sandbox.guest.tiers import Tier


def together(parts: Sequence[Execution], seeds: Sequence[int], factors: int) -> Execution:
    """As if all seeds had been trained in one job: of each factor and data set, the seeds of all parts side by side."""
    arrays = {}
    for name in parts[0].arrays:
        split = [
            part.arrays[name].reshape(len(part.arrays[name]), factors, -1, count, *part.arrays[name].shape[2:])
            for part, count in zip(parts, seeds, strict=True)
        ]
        joined = np.concatenate(split, axis=3)
        arrays[name] = joined.reshape(len(joined), -1, *joined.shape[4:])
    slowest = max(parts, key=lambda part: list(Tier).index(tier) if (tier := tier_of(part)) else len(Tier))
    return replace(
        slowest,
        arrays=arrays,
        seconds=sum(part.seconds for part in parts),
        cpu_seconds=sum(part.cpu_seconds for part in parts),
        peak_mib=max(part.peak_mib for part in parts),
    )


def tier_of(execution: Execution) -> Tier | None:
    """None: the guest, whose word it is, says something else."""
    told = execution.values.get("tier")
    return Tier(told) if told in list(Tier) else None
