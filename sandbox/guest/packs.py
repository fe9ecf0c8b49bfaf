"""The arrays that a fork server keeps for jobs to come: in memory of their own, which a fork can let go of at once.

A pack may be another team's data and model. Every fork inherits all of them, so it forgets those that are not its job's
before it reads any code.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping

import numpy as np

from .job import Array

ALIGNMENT = 64


class Pack:
    def __init__(self, given: Mapping[str, Array]) -> None:
        """Copies; `arrays` can be written to, which only the fork that does it sees."""
        places, size = {}, 1
        for name, array in given.items():
            places[name] = size = -(-size // ALIGNMENT) * ALIGNMENT
            size += array.nbytes
        self._region = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.arrays: dict[str, Array] = {}
        for name, array in given.items():
            own = np.frombuffer(self._region, array.dtype, array.size, places[name]).reshape(array.shape)
            own[...] = array
            self.arrays[name] = own

    def forget(self) -> None:
        """In this process, for good: zeros are left."""
        self._region.madvise(mmap.MADV_DONTNEED)
