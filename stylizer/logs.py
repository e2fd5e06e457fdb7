"""One logger for everybody, on stderr: for people in a terminal, one JSON object a line elsewhere.

Tracebacks go without local variables: those hold the visitors' pictures.
"""

import logging
import sys

import structlog

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
    logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    cache_logger_on_first_use=False,
)
log: structlog.stdlib.BoundLogger = structlog.get_logger()
