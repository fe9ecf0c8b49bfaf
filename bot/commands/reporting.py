"""How commands end: faults as one line of advice on stderr and an exit code, logs on stderr, never on stdout."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from bot.errors import BotError
from bot.home import HomeError
from bot.settings import SettingsError
from engine.errors import EngineError
from sandbox.errors import SandboxError
from storage.errors import StorageError

FAILED, WRONG_USAGE = 1, 2


@dataclass(slots=True)
class CommandOutcome:
    exit_code: int = 0


class UsageError(Exception):
    """The command was called wrongly. The message says what was expected."""


@contextmanager
def advised() -> Iterator[CommandOutcome]:
    """Turn a fault that comes with advice into that advice and exit code 1, wrong usage into exit code 2."""
    outcome = CommandOutcome()
    try:
        yield outcome
    except (UsageError, SettingsError) as fault:
        outcome.exit_code = WRONG_USAGE
        print(fault, file=sys.stderr)
    except (BotError, HomeError, EngineError, SandboxError, StorageError, OSError) as fault:
        outcome.exit_code = FAILED
        print(fault, file=sys.stderr)


def log_to_stderr(level: str) -> None:
    """From here on. A line that cannot be written (a closed pipe, a full disk) is lost and fails nobody's request."""
    number = getattr(logging, level.upper())
    told: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *told],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
            ],
        )
    )
    logging.basicConfig(level=number, handlers=[handler], force=True)
    logging.raiseExceptions = False
    for noisy in ("slack_bolt", "slack_sdk", "apscheduler", "httpx", "alembic", "matplotlib", "dbos"):
        logging.getLogger(noisy).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[*told, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
