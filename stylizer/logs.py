"""One logger for everybody, on stderr: for people in a terminal, one JSON object a line elsewhere.

Tracebacks go without local variables: those hold the visitors' pictures.
"""

import contextlib
import io
import logging
import sys
from typing import TextIO, cast

import structlog


class _Stderr(io.TextIOBase):
    """Where nothing can be written (a full disk, a reader who has gone) a line is lost, and no thread with it."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            return sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


_STDERR = cast(TextIO, _Stderr())
_TERMINAL = sys.stderr.isatty()
_FOR_PEOPLE = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback, colors=_TERMINAL)
_FOR_PROGRAMS = structlog.processors.JSONRenderer(ensure_ascii=False)

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([_FOR_PEOPLE] if _TERMINAL else [structlog.processors.format_exc_info, _FOR_PROGRAMS]),
    ],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=lambda *_: structlog.PrintLogger(_STDERR),
    cache_logger_on_first_use=False,
)
log: structlog.stdlib.BoundLogger = structlog.get_logger()
