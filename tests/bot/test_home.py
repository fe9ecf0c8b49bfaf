"""One home, one bot."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.home import SECRET_BYTES, Home, HomeError, HomeLocked, Run

HOLD = """
import sys
from pathlib import Path
from bot.home import Home
home = Home(Path(sys.argv[1]))
home.prepare()
with home.lock():
    home.announce("http://127.0.0.1:1")
    child = None
    if len(sys.argv) > 2:
        import subprocess
        child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).pid
    print(child, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "some" / "home")
    home.prepare()
    return home


def holder(home: Home, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """A process that holds the home, and the first line it prints."""
    command = [sys.executable, "-c", HOLD, str(home.path), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().strip()


def test_a_home_is_made_with_its_folders_for_its_user_alone(home: Home) -> None:
    home.prepare()
    assert home.files.is_dir()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(HomeError, match=r"/home is a file where a folder is needed.*CONJECTURE_HOME"):
        Home(tmp_path / "home").prepare()


def test_a_file_in_the_way_above_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="is a file where a folder is needed"):
        Home(tmp_path / "file" / "home").prepare()


def test_a_home_that_cannot_be_written_is_told() -> None:
    with pytest.raises(HomeError, match=r"/proc/home cannot be written.*CONJECTURE_HOME"):
        Home(Path("/proc/home")).prepare()


def test_the_running_bot_is_found_by_others(home: Home) -> None:
    process, _ = holder(home)
    run = home.running()
    assert run is not None
    assert (run.pid, run.workspace_url) == (process.pid, "http://127.0.0.1:1")
    process.communicate("\n")
    assert home.running() is None


def test_a_second_bot_is_refused_and_told_which_is_the_first(home: Home) -> None:
    process, _ = holder(home)
    with pytest.raises(HomeLocked, match=f"in use by the process with id {process.pid}") as caught, home.lock():
        pass
    assert caught.value.run == home.running()
    process.communicate("\n")


def test_a_refused_bot_leaves_the_first_one_announced(home: Home) -> None:
    with home.lock():
        home.announce(None)
        with pytest.raises(HomeLocked), home.lock():
            pass
        assert home.running() is not None


def test_a_killed_bot_leaves_the_home_free(home: Home) -> None:
    process, _ = holder(home)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert home.running() is None
    with home.lock():
        assert home.running() is None  # what the killed one announced is not told of this one
        home.announce(None)
        assert home.running() is not None


def test_a_program_that_a_killed_bot_started_does_not_keep_the_lock(home: Home) -> None:
    process, child = holder(home, "with a child")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    try:
        with home.lock():
            pass
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_the_lock_is_free_after_a_fault(home: Home) -> None:
    def fail() -> None:
        with home.lock():
            home.announce(None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not (home.path / "run.json").exists()
    with home.lock():
        pass


def test_those_who_only_look_do_not_keep_a_bot_from_starting(home: Home) -> None:
    def look(_: int) -> Run | None:
        return home.running()

    with ThreadPoolExecutor(4) as threads:
        looks = threads.map(look, range(400))
        for _ in range(20):
            with home.lock():
                pass
        list(looks)


def test_a_half_written_announcement_is_nobody(home: Home) -> None:
    with home.lock():
        (home.path / "run.json").write_text('{"pid": 1')
        assert home.running() is None


def test_the_suite_secret_is_made_once_and_private(home: Home) -> None:
    secret = home.suite_secret()
    assert len(secret) == SECRET_BYTES
    assert Home(home.path).suite_secret() == secret
    assert stat.S_IMODE((home.path / "suite-secret").stat().st_mode) == 0o600


def test_two_homes_have_two_secrets(tmp_path: Path, home: Home) -> None:
    other = Home(tmp_path / "other")
    other.prepare()
    assert other.suite_secret() != home.suite_secret()


def test_all_who_ask_at_once_get_the_same_secret(home: Home) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: home.suite_secret(), range(16)))) == 1
    assert not list(home.path.glob(".suite-secret*"))


def test_a_damaged_secret_is_told_and_not_replaced(home: Home) -> None:
    (home.path / "suite-secret").write_bytes(b"short")
    with pytest.raises(HomeError, match="holds 5 bytes; expected 32"):
        home.suite_secret()
    assert (home.path / "suite-secret").read_bytes() == b"short"


def test_a_role_keeps_its_identity_and_roles_differ(home: Home) -> None:
    assert home.executor_id("bot") == Home(home.path).executor_id("bot")
    assert home.executor_id("bot") != home.executor_id("worker")
