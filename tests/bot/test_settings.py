"""The environment, read once: what is understood, and that all that is wrong is said at once."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from bot.settings import DEFAULT_MODEL, Device, SandboxChoice, Settings, SettingsError, read_settings, settings_table

ROOT = Path(__file__).parents[2]
READ = {str(field.validation_alias) for field in Settings.model_fields.values()}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name in READ or name.startswith("CONJECTURE_"):
            monkeypatch.delenv(name)


def faults(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    return caught.value.faults


def test_without_any_variable_everything_has_a_default() -> None:
    settings = read_settings()
    home = Path.home() / ".local/share/conjecture"
    assert settings.home == home
    assert settings.database_url.get_secret_value() == f"sqlite:///{home}/conjecture.db"
    assert (settings.models, settings.openai_api_key, settings.connects_to_slack) == ((), None, False)
    assert (settings.sandbox, settings.unsafe_sandbox, settings.device) == (SandboxChoice.AUTO, False, Device.AUTO)
    assert settings.parallel == len(os.sched_getaffinity(0))
    assert settings.digest_timezone == ZoneInfo("UTC")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = read_settings()
    for name in READ:
        monkeypatch.setenv(name, "")
    assert read_settings() == unset


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "CONJECTURE_HOME": str(tmp_path),
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_APP_TOKEN": "xapp-1",
        "SLACK_API_URL": "http://127.0.0.1:1/api/",
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": "https://models.example/v1",
        "CONJECTURE_MODELS": "one, two,",
        "CONJECTURE_DATABASE_URL": "postgresql://u:p@h/n",
        "CONJECTURE_SANDBOX": "docker",
        "CONJECTURE_UNSAFE_SANDBOX": "1",
        "CONJECTURE_SANDBOX_RUNTIME": "runsc",
        "CONJECTURE_SANDBOX_BASE": "nvidia/cuda",
        "CONJECTURE_PARALLEL": "3",
        "CONJECTURE_HOST": "0.0.0.0",
        "CONJECTURE_PORT": "0",
        "CONJECTURE_DEVICE": "cpu",
        "CONJECTURE_LOG_LEVEL": "debug",
        "CONJECTURE_DIGEST_TIMEZONE": "Europe/Berlin",
        "CONJECTURE_EPOCH_DAYS": "7",
        "CONJECTURE_EPOCH_HYPOTHESES": "500",
        "CONJECTURE_GPUS": "2",
        "CONJECTURE_CONFIRM": "0",
        "CONJECTURE_HUB_MIB": "0",
        "CONJECTURE_EXPLORATION": "0.2",
        "CONJECTURE_NOVEL_SHARE": "0.3",
        "CONJECTURE_VOTE_WEIGHT": "0",
        "CONJECTURE_EMBEDDINGS": "text-embedding-3-small",
        "CONJECTURE_LITERATURE": "own",
        "CONJECTURE_ARXIV_URL": "http://127.0.0.1:1",
        "CONJECTURE_SEMANTIC_SCHOLAR_URL": "http://127.0.0.1:2",
        "CONJECTURE_SEMANTIC_SCHOLAR_KEY": "key",
    }
    assert set(given) == READ
    unset = read_settings()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert all(getattr(settings, name) != getattr(unset, name) for name in Settings.model_fields)
    assert (settings.models, settings.parallel, settings.port) == (("one", "two"), 3, 0)
    assert settings.connects_to_slack


def test_the_home_is_absolute_and_a_tilde_is_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONJECTURE_HOME", ".conjecture")
    assert read_settings().home == tmp_path / ".conjecture"
    monkeypatch.setenv("CONJECTURE_HOME", "~/x")
    assert read_settings().home == Path.home() / "x"


def test_a_key_alone_asks_the_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    assert read_settings().models == (DEFAULT_MODEL,)


def test_no_secret_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-hunter2")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-hunter2")
    monkeypatch.setenv("OPENAI_API_KEY", "hunter2")
    monkeypatch.setenv("CONJECTURE_DATABASE_URL", "postgresql://u:hunter2@h/n")
    settings = read_settings()
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        read_settings().port = 1  # type: ignore[misc]


def test_all_faults_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "SLACK_BOT_TOKEN": "hunter2",
        "OPENAI_BASE_URL": "models.example",
        "CONJECTURE_DATABASE_URL": "mysql://u:hunter2@h/n",
        "CONJECTURE_SANDBOX": "dokcer",
        "CONJECTURE_UNSAFE_SANDBOX": "maybe",
        "CONJECTURE_PARALLEL": "0",
        "CONJECTURE_PORT": "http",
        "CONJECTURE_DEVICE": "tpu",
        "CONJECTURE_LOG_LEVEL": "loud",
        "CONJECTURE_DIGEST_TIMEZONE": "Mars/Olympus",
    }
    told = faults(monkeypatch, **wrong)
    for name in (*wrong, "SLACK_APP_TOKEN", "OPENAI_API_KEY"):
        assert [fault for fault in told if fault.startswith(f"{name} ")], name
    assert len(told) == len(wrong) + 2
    assert "hunter2" not in " ".join(told)


def test_a_fault_names_the_value_and_what_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    told = faults(monkeypatch, CONJECTURE_PORT="99999")
    assert told == ["CONJECTURE_PORT is '99999'; expected a whole number from 0 to 65535."]


@pytest.mark.parametrize(
    "alone", [{"SLACK_BOT_TOKEN": "xoxb-1"}, {"SLACK_APP_TOKEN": "xapp-1"}, {"CONJECTURE_MODELS": "one"}], ids=str
)
def test_half_of_a_pair_is_a_fault_that_names_the_other(monkeypatch: pytest.MonkeyPatch, alone: dict[str, str]) -> None:
    other = {"SLACK_BOT_TOKEN": "SLACK_APP_TOKEN", "SLACK_APP_TOKEN": "SLACK_BOT_TOKEN"}
    (told,) = faults(monkeypatch, **alone)
    assert told.startswith(f"{other.get(*alone, 'OPENAI_API_KEY')} is not set, but {next(iter(alone))} is")


def test_a_misspelt_variable_is_a_fault_with_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, CONJECTURE_SANDBX="docker") == [
        "CONJECTURE_SANDBX is not a setting; did you mean CONJECTURE_SANDBOX?"
    ]


def test_what_uses_only_the_local_workspace_ignores_slacks_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "not a token")
    monkeypatch.setenv("SLACK_API_URL", "nowhere")
    settings = read_settings(slack=False)
    assert (settings.slack_bot_token, settings.slack_api_url) == (None, "https://slack.com/api/")
    assert not settings.connects_to_slack


def test_the_documented_table_is_that_of_the_settings() -> None:
    assert settings_table() in (ROOT / "docs/settings.md").read_text()
