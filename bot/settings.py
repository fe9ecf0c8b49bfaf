"""The environment, read once, as one frozen value. `docs/settings.md` holds the same table; a test compares them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from storage.database import database_url

DEFAULT_MODEL = "gpt-5.4-mini"
DATABASE_FILE = "conjecture.db"
OURS = "CONJECTURE_"
OF_TESTS = "CONJECTURE_TEST"


class SettingsError(Exception):
    """What is wrong with the environment: all of it, one line each. Never holds a secret's value."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(["The settings cannot be used:", *(f"- {fault}" for fault in faults)]))
        self.faults = faults


class SandboxChoice(StrEnum):
    AUTO = "auto"
    DOCKER = "docker"
    PROCESS = "process"


class Device(StrEnum):
    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def _available_cores() -> int:
    return len(os.sched_getaffinity(0))


def _models(read: dict[str, Any]) -> tuple[str, ...]:
    return (DEFAULT_MODEL,) if read["openai_api_key"] else ()


def _database(read: dict[str, Any]) -> SecretStr:
    return SecretStr(f"sqlite:///{read['home'] / DATABASE_FILE}")


def _variable(name: str, meaning: str, expected: str, default: Any, shown: str = "", **bounds: Any) -> Any:
    """A field that is read from the variable `name`. `shown` is how people read a default that is computed."""
    given: dict[str, Any] = {"default_factory": default} if callable(default) else {"default": default}
    words = {"expected": expected, "shown": shown or (f"`{default}`" if default is not None else "unset")}
    return Field(**given, **bounds, validation_alias=name, description=meaning, json_schema_extra=dict(words))


def _starts_with(*starts: str) -> AfterValidator:
    def check(value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not text.startswith(starts):
            raise ValueError(f"it does not start with {' or '.join(starts)}")
        return value

    return AfterValidator(check)


def _check_database(url: SecretStr) -> SecretStr:
    database_url(url.get_secret_value())
    return url


def _check_gpus(given: str) -> str:
    if given != "all" and not given.isdecimal() and "," not in given and not given.startswith("GPU-"):
        raise ValueError("it is neither `all` nor a number nor ids")
    return given


def _split(text: Any) -> Any:
    return [name.strip() for name in text.split(",") if name.strip()] if isinstance(text, str) else text


Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
Address = Annotated[str, _starts_with("http://", "https://")]
ADDRESS = "an address that starts with `http://` or `https://`"


class Settings(BaseSettings):
    """Every setting. Make it with `read_settings`, which says in words what is wrong."""

    model_config = SettingsConfigDict(
        frozen=True,
        case_sensitive=True,
        env_ignore_empty=True,
        populate_by_name=True,
        str_strip_whitespace=True,
        validate_default=True,
    )

    home: Folder = _variable(
        "CONJECTURE_HOME", "Where everything lives that survives a restart.", "a folder", "~/.local/share/conjecture"
    )
    slack_bot_token: Annotated[SecretStr, _starts_with("xoxb-")] | None = _variable(
        "SLACK_BOT_TOKEN",
        "The bot's token. With both tokens it connects to Slack, with none to its own workspace in the browser.",
        "a token that starts with `xoxb-`",
        None,
    )
    slack_app_token: Annotated[SecretStr, _starts_with("xapp-")] | None = _variable(
        "SLACK_APP_TOKEN", "The app-level token, for Socket Mode.", "a token that starts with `xapp-`", None
    )
    slack_api_url: Address = _variable(
        "SLACK_API_URL", "Where Slack's Web API is; another address is for tests.", ADDRESS, "https://slack.com/api/"
    )
    openai_api_key: SecretStr | None = _variable(
        "OPENAI_API_KEY",
        "The key of the model provider. Without it, hypotheses come from the offline catalogue.",
        "a key; any word for a server that asks for none",
        None,
    )
    openai_base_url: Address | None = _variable(
        "OPENAI_BASE_URL", "Another server that speaks OpenAI's chat completions.", ADDRESS, None, "OpenAI's"
    )
    models: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = _variable(
        "CONJECTURE_MODELS",
        "The models that propose hypotheses, in turns.",
        "names of models, with commas between",
        _models,
        f"`{DEFAULT_MODEL}` when a key is set",
    )
    embeddings: str | None = _variable(
        "CONJECTURE_EMBEDDINGS",
        "An embedding model of the same server, to find passages of papers by meaning as well as by words.",
        "the name of a model",
        None,
        "the sentence model on this machine, if it is installed",
    )
    literature: Literal["all", "own"] = _variable(
        "CONJECTURE_LITERATURE",
        "Where related work is looked for. `own` asks nobody outside: only the team's papers and results.",
        "`all` or `own`",
        "all",
    )
    arxiv_url: Address = _variable(
        "CONJECTURE_ARXIV_URL", "Where arXiv's papers and search are.", ADDRESS, "https://export.arxiv.org"
    )
    semantic_scholar_url: Address = _variable(
        "CONJECTURE_SEMANTIC_SCHOLAR_URL",
        "Where Semantic Scholar's interface is.",
        ADDRESS,
        "https://api.semanticscholar.org",
    )
    semantic_scholar_key: SecretStr | None = _variable(
        "CONJECTURE_SEMANTIC_SCHOLAR_KEY", "A key for Semantic Scholar, which then answers more often.", "a key", None
    )
    database_url: Annotated[SecretStr, AfterValidator(_check_database)] = _variable(
        "CONJECTURE_DATABASE_URL",
        "The database. PostgreSQL lets workers on several machines share the work.",
        "`sqlite:////absolute/path` or `postgresql://user:password@host:port/name`",
        _database,
        f"SQLite, `{DATABASE_FILE}` in the home",
    )
    sandbox: SandboxChoice = _variable(
        "CONJECTURE_SANDBOX",
        "What runs proposed code. `auto` takes the strongest that this machine allows; the others never degrade.",
        "`auto`, `docker` or `process`",
        SandboxChoice.AUTO,
    )
    unsafe_sandbox: bool = _variable(
        "CONJECTURE_UNSAFE_SANDBOX",
        "Where nothing better is possible, run proposed code with resource limits only. Every result says so.",
        "`1` or `0`",
        False,
        "`0`",
    )
    sandbox_runtime: str | None = _variable(
        "CONJECTURE_SANDBOX_RUNTIME",
        "Docker's runtime for the sandbox, e.g. `runsc` for gVisor.",
        "the name of a runtime that Docker knows",
        None,
        "Docker's own",
    )
    sandbox_base: str | None = _variable(
        "CONJECTURE_SANDBOX_BASE",
        "The image that the sandbox's own is built upon, e.g. one with CUDA; read by whatever builds it.",
        "the name of a Docker image",
        None,
        "a small Debian with Python",
    )
    parallel: int = _variable(
        "CONJECTURE_PARALLEL",
        "How many sandbox jobs run at once.",
        "a whole number from 1 to 1024",
        _available_cores,
        "the number of cores",
        ge=1,
        le=1024,
    )
    host: str = _variable(
        "CONJECTURE_HOST",
        "Where the local workspace listens. It asks nobody for a password: keep it on this machine.",
        "a host name or an address",
        "127.0.0.1",
    )
    port: int = _variable(
        "CONJECTURE_PORT",
        "The local workspace's port; `0` takes any free one.",
        "a whole number from 0 to 65535",
        8710,
        ge=0,
        le=65535,
    )
    device: Device = _variable(
        "CONJECTURE_DEVICE",
        "Where nets are trained. `auto` takes a GPU when there is one.",
        "`auto`, `cpu` or `cuda`",
        Device.AUTO,
    )
    gpus: Annotated[str, AfterValidator(_check_gpus)] = _variable(
        "CONJECTURE_GPUS",
        "Which GPUs train nets, one job at a time on each.",
        "`all`, how many (`2`), or ids with commas (`0,2`; `0,` for one alone)",
        "all",
    )
    epoch_days: int = _variable(
        "CONJECTURE_EPOCH_DAYS",
        "After how many days the suites' seeds and secret parameters are drawn anew.",
        "a whole number from 1 to 3650",
        30,
        ge=1,
        le=3650,
    )
    epoch_hypotheses: int = _variable(
        "CONJECTURE_EPOCH_HYPOTHESES",
        "After how many measured hypotheses they are drawn anew, if that is sooner.",
        "a whole number from 1 to 1000000",
        10_000,
        ge=1,
        le=1_000_000,
    )
    exploration: float = _variable(
        "CONJECTURE_EXPLORATION",
        "What knowing nothing of a hypothesis is worth, as a chance, when it is decided which are measured.",
        "a number from 0 to 1",
        0.1,
        ge=0,
        le=1,
    )
    novel_share: float = _variable(
        "CONJECTURE_NOVEL_SHARE",
        "Which share of what is measured is kept for what resembles nothing known, measured or voted on.",
        "a number from 0 to 0.5",
        0.15,
        ge=0,
        le=0.5,
    )
    vote_weight: float = _variable(
        "CONJECTURE_VOTE_WEIGHT",
        "What people's liking is worth, as a chance, when it is decided which are measured; `0` leaves votes out.",
        "a number from 0 to 1",
        0.1,
        ge=0,
        le=1,
    )
    confirm: int = _variable(
        "CONJECTURE_CONFIRM",
        "How many promising hypotheses of a request are evaluated in full by themselves; `0` waits to be asked.",
        "a whole number from 0 to 20",
        2,
        ge=0,
        le=20,
    )
    hub_mib: int = _variable(
        "CONJECTURE_HUB_MIB",
        "How many MiB of public models and data sets of the Hugging Face hub one experiment may fetch; `0` fetches "
        "nothing, nor does `own` literature.",
        "a whole number from 0 to 448",
        400,
        ge=0,
        le=448,
    )
    log_level: Literal["debug", "info", "warning", "error"] = _variable(
        "CONJECTURE_LOG_LEVEL", "How much is logged.", "`debug`, `info`, `warning` or `error`", "info"
    )
    digest_timezone: ZoneInfo = _variable(
        "CONJECTURE_DIGEST_TIMEZONE",
        "The time zone of digests' times.",
        "a name of the IANA time zone database, e.g. `Europe/Berlin`",
        "UTC",
    )

    @property
    def connects_to_slack(self) -> bool:
        return self.slack_bot_token is not None and self.slack_app_token is not None


def read_settings(*, slack: bool = True) -> Settings:
    """From `os.environ`; an empty variable counts as unset. Raises SettingsError with every fault at once.

    With `slack=False`, for what only uses the local workspace, the variables SLACK_* count as unset.
    """
    ignored: dict[str, Any] = {}
    if not slack:
        ignored = {name: field.default for name, (field, _) in _documented().items() if name.startswith("SLACK_")}
    set_here = {name: value for name, value in os.environ.items() if value and name not in ignored}
    faults = [*_misspelt(set_here), *_halves(set_here)]
    settings = None
    try:
        settings = Settings(**ignored)
    except ValidationError as error:
        faults += _in_words(error, set_here)
    if faults or settings is None:
        raise SettingsError(faults)
    return settings


def settings_table() -> str:
    """The table of `docs/settings.md`: one line a variable, in Markdown."""
    lines = ["| variable | meaning | expected | default |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | {field.description} | {words['expected']} | {words['shown']} |"
        for name, (field, words) in _documented().items()
    ]
    return "\n".join(lines)


def _documented() -> dict[str, tuple[Any, dict[str, str]]]:
    """Variable -> field and its words, in the order of `Settings`."""
    fields = Settings.model_fields.values()
    return {str(field.validation_alias): (field, _words(field.json_schema_extra)) for field in fields}


def _words(extra: Any) -> dict[str, str]:
    return {key: str(value) for key, value in extra.items()}


def _misspelt(set_here: Mapping[str, str]) -> Iterator[str]:
    known = list(_documented())
    for name in sorted(set_here):
        if name.startswith(OURS) and not name.startswith(OF_TESTS) and name not in known:
            meant = get_close_matches(name, known, n=1)
            yield f"{name} is not a setting" + (f"; did you mean {meant[0]}?" if meant else "; unset it.")


def _halves(set_here: Mapping[str, str]) -> Iterator[str]:
    """Variables that mean nothing without another."""
    for half, other in (
        ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"),
        ("SLACK_APP_TOKEN", "SLACK_BOT_TOKEN"),
        ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
        ("CONJECTURE_MODELS", "OPENAI_API_KEY"),
        ("CONJECTURE_EMBEDDINGS", "OPENAI_API_KEY"),
    ):
        if half in set_here and other not in set_here:
            expected = _documented()[other][1]["expected"]
            yield f"{other} is not set, but {half} is; expected {expected}. Set it too, or unset {half}."


def _in_words(error: ValidationError, set_here: Mapping[str, str]) -> Iterator[str]:
    documented = _documented()
    told = set()
    for fault in error.errors():
        name = str(fault["loc"][0])
        if name in told or name not in set_here:  # a default that could not be computed for another fault
            continue
        told.add(name)
        field, words = documented[name]
        value = "has a value that cannot be used" if "SecretStr" in str(field.annotation) else f"is {set_here[name]!r}"
        reason = f" ({fault['ctx']['error']})" if fault["type"] == "value_error" else ""
        yield f"{name} {value}{reason}; expected {words['expected']}."
