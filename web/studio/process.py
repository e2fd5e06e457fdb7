"""Streamlit, in a process that is gone when it ends: else a network that is being compiled aborts the interpreter."""

import os
import sys

from streamlit.web.cli import main


def run() -> None:
    """What `python -m streamlit` does, with its arguments."""
    status: int | str | None = 0
    try:
        main(prog_name="streamlit")
    except SystemExit as end:
        status = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else bool(status))


if __name__ == "__main__":
    run()
