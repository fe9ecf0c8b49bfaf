from __future__ import annotations

from collections.abc import Iterator

import pytest
from live_bot import Running, running


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One bot for a module: its sandbox and its trained baselines are shared by the tests."""
    with running(tmp_path_factory.mktemp("home")) as bot:
        yield bot
