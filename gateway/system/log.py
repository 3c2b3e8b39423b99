"""The log: turns events and records into one line each on standard error, as JSON or as readable text.

No byte from the wire can end a line, steer a terminal or fill a disk: control characters and everything outside
printable ASCII are escaped, lines are bounded.
"""

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from gateway.record import Record
from gateway.settings import Section
from gateway.system import systemd
from gateway.system.logline import Style, json_line, record_line, text_line
from gateway.system.logstream import QueuedStream
from gateway.system.redaction import Redactable, Redaction, Redactor, redactor, require_key, unchanged

LOGGER = "mailward"  # the name that messages are logged by
MAX_TRACE = 4000  # characters of a traceback

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))  # syslog(3)


class Format(StrEnum):
    JSON = "json"
    TEXT = "text"


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogSettings(Section):
    """The table [log]: what is written to standard error, and how."""

    format: Format = Format.TEXT
    """"json" (one object a line) or "text" (key=value, coloured on a terminal)."""

    level: Level = Level.INFO
    """The least severe events that are written: "debug", "info", "warning" or "error". Messages are "info"."""

    redact: dict[Redactable, Redaction] = Field(default_factory=dict)
    """Which values of a message's line are changed, and how: { recipients = "hash", subject = "drop" }. Values: sender,
    recipients, author, subject, message_id, client_ip, client_name, helo. Ways: "hash" (keyed, so that equal values can
    be followed), "domain" (only what follows the @) and "drop". Where sender or recipients are redacted, so are the
    mail addresses in the texts of replies, and likewise client_ip and client_name."""

    redact_key: str = ""
    """The key of "hash": at least 16 characters, the same on every node, known to nobody else."""

    @model_validator(mode="after")
    def _hash_needs_a_key(self) -> "LogSettings":
        require_key(self.redact, self.redact_key)
        return self


class LineFormatter(logging.Formatter):
    """One line an event: its time, level, logger, text, and the values given as extra={"values": {...}}."""

    def __init__(self, shape: Format, where: Style) -> None:
        super().__init__()
        self._shape = shape
        self._where = where

    def format(self, record: logging.LogRecord) -> str:
        values = getattr(record, "values", {})
        if record.exc_info and record.exc_info[0] is not None:
            values = {**values, "trace": "".join(traceback.format_exception(*record.exc_info))[-MAX_TRACE:]}
        level = record.levelname.lower()
        line = self._line(record.created, level, record.name, record.getMessage(), values)
        return self._marked(line, record.levelno)

    def of_message(self, record: Record, redact: Redactor) -> str:
        """The line of a message now."""
        now, level = time.time(), "info"
        line = record_line(now, level, LOGGER, record) if self._shape is Format.JSON and redact is unchanged else ""
        if not line:
            values = redact(record.to_dict())
            line = self._line(now, level, LOGGER, values.pop("event"), values)
        return self._marked(line, logging.INFO)

    def _line(self, when: float, level: str, logger: str, event: str, values: Mapping[str, Any]) -> str:
        if self._shape is Format.JSON:
            return json_line(when, level, logger, event, values)
        return text_line(when, level, logger, event, values, self._where)

    def _marked(self, line: str, level: int) -> str:
        """As the journal of systemd takes it, where it goes there."""
        return f"<{_priority(level)}>{line}" if self._where is Style.JOURNAL else line


class MessageLog:
    """Writes the line of a message, redacted as the site chose."""

    __slots__ = ("_logger", "_redact", "_root")

    def __init__(self, settings: LogSettings) -> None:
        self._logger = logging.getLogger(LOGGER)
        self._root = logging.getLogger()
        self._redact = redactor(settings.redact, settings.redact_key)

    def write(self, record: Record) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            return
        match self._root.handlers:
            case [QueuedStream(formatter=LineFormatter() as formatter) as stream]:
                # Where logging would bring it, without half of the work: nobody asks from where in the code it comes.
                stream.put(formatter.of_message(record, self._redact))
            case _:
                values = self._redact(record.to_dict())
                self._logger.info(values.pop("event"), extra={"values": values})


def start_logging(
    settings: LogSettings, *, on_drop: Callable[[int], None], fd: int = 2, environ: Mapping[str, str] = os.environ
) -> QueuedStream:
    """Send everything that the process logs to `fd`. `on_drop` is told how many lines were dropped. The caller closes
    the handler at the end (or logging.shutdown does at exit)."""
    handler = QueuedStream(fd, on_drop=on_drop)
    handler.setFormatter(LineFormatter(settings.format, _style(fd, environ)))
    logging.basicConfig(handlers=[handler], level=settings.level.upper(), force=True)
    logging.raiseExceptions = False
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line says them
    logging._srcfile = None  # nor where in the code it was written, which is looked for up the stack
    sys.excepthook = _log_uncaught
    return handler


def _style(fd: int, environ: Mapping[str, str]) -> Style:
    if systemd.goes_to_journal(fd, environ):
        return Style.JOURNAL
    return Style.TERMINAL if os.isatty(fd) and not environ.get("NO_COLOR") else Style.PLAIN


def _priority(level: int) -> int:
    return next(priority for least, priority in _PRIORITIES if level >= least)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("mailward").critical("uncaught exception", exc_info=(kind, error, trace))
