"""Logging of the programs: one line per record on standard error, as text or as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

LogFormat = Literal["text", "json"]

_TEXT = "%(asctime)s %(levelname).1s %(name)s %(message)s"
_fields: ContextVar[dict[str, str]] = ContextVar("log_fields", default={})  # noqa: B039 - never changed in place


def tag_logs(**fields: str) -> None:
    """Give what the current task logs from here on more fields, such as `job`, `attempt` or `worker`.

    Tasks and threads that it starts inherit them; other tasks, and so other calls, do not have them.
    """
    _fields.set({**_fields.get(), **fields})


class JsonFormatter(logging.Formatter):
    """A record as an object: time (UTC), level, logger, message, its task's fields, and its traceback.

    `more` tells further fields, whenever a line is written.
    """

    def __init__(self, more: Callable[[], Mapping[str, str]] = dict) -> None:
        super().__init__()
        self._more = more

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields.get(),
            **self._more(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def configure_logging(
    level: str, form: LogFormat = "text", more: Callable[[], Mapping[str, str]] = dict
) -> None:
    """Send records of `level` and above to standard error, as JSON with `more` fields."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(more) if form == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
