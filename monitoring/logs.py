"""Logging of our processes: one line for each event, with the ids, on standard error, as text or JSON.

A message names its values in the text, `log.info("hello: socket=%s user=%s", …)`; in JSON each named value
is a field too. No line contains the content of a notification, a token or a key.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from notifier.settings import Settings

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
OURS = ("notifier", "models", "worker", "web", "examples")
OWN = ("time", "level", "logger", "message", "exception")
#: Packages whose errors tell of a lost connection, or of a process that was killed.
OUTSIDE = ("amqp", "kombu", "billiard")
#: A placeholder (https://docs.python.org/3/library/stdtypes.html#old-string-formatting), and its name.
PLACEHOLDER = re.compile(r"(?:(\w+)=)?%(?:%|[-#0 +]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa])")


class JsonFormatter(logging.Formatter):
    """Writes an object per line: time, level, logger, message, the values named in it, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        values = record.args if isinstance(record.args, tuple) else ()
        named = zip(_names(str(record.msg)), values, strict=False)
        line |= {name: value for name, value in named if name is not None and name not in OWN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # A value that JSON has no type for is written as in the message; a lone surrogate as "?".
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:
            plain = {name: str(value).encode(errors="replace").decode() for name, value in line.items()}
            return orjson.dumps(plain).decode()


@lru_cache(maxsize=1_000)
def _names(template: str) -> tuple[str | None, ...]:
    """Return the name of each placeholder, in the order of the arguments; None for one without."""
    return tuple(found[1] for found in PLACEHOLDER.finditer(template) if not found[0].endswith("%%"))


class WithoutBodies(logging.Filter):
    """Cuts Celery's lines about a rejected message: its body and headers are user data."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the beginning of such a line, up to its first value (the task's name, the decoder's error)."""
        template = str(record.msg)
        if "body" in template and isinstance(record.args, tuple):
            first = template.splitlines()[0]
            end = next((found.end() for found in PLACEHOLDER.finditer(first)), None)
            record.msg = first[:end]
            record.args = () if end is None else record.args[:1]
            record.exc_info = None
        return True


class Brief(logging.Filter):
    """Cuts Celery's lines about what is outside of it, a lost connection or a killed process.

    The traceback says nothing that the line does not; a line for each message in flight is one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Take off the traceback; keep one line of a kind in a second."""
        cause = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if not (isinstance(cause, OSError) or type(cause).__module__.split(".")[0] in OUTSIDE):
            return True
        record.exc_info = record.exc_text = None
        template = str(record.msg)
        if record.created - self._last.get(template, 0.0) < 1.0:
            return False
        self._last[template] = record.created
        record.msg = template.partition("\n")[0]
        return True


def configure(settings: Settings) -> None:
    """Send this process's log to standard error."""
    logging.basicConfig(format=FORMAT, stream=sys.stderr, force=True)
    if settings.log_format == "json":
        logging.getLogger().handlers[0].setFormatter(JsonFormatter())
    logging.captureWarnings(True)
    # Celery's and gevent's debug lines show whole messages, so DEBUG applies to our lines only.
    logging.getLogger().setLevel(max(logging.INFO, logging.getLevelName(settings.log_level)))
    for ours in OURS:
        logging.getLogger(ours).setLevel(settings.log_level)
    # A line for each task would hide the lines that matter.
    for noisy in ("alembic", "amqp", "kombu", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    _add("celery.worker.consumer.consumer", WithoutBodies)
    for celerys in ("celery.worker.loops", "celery.worker.request", "celery.worker.consumer.consumer"):
        _add(celerys, Brief)


def _add(name: str, kind: type[logging.Filter]) -> None:
    """Give a logger a filter, once."""
    logger = logging.getLogger(name)
    if not any(isinstance(known, kind) for known in logger.filters):
        logger.addFilter(kind())
