"""Runs the studio: Streamlit in a process of its own, with our settings in its environment."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from stylizer.config import Settings
from stylizer.weights.importing import MAX_WEIGHTS_BYTES
from web import memory
from web.addresses import check_port_free

APP = Path(__file__).with_name("app.py")
CHECKOUT = APP.parents[2]
STOP_S = 5.0
MAX_UPLOAD_MIB = MAX_WEIGHTS_BYTES // 2**20
THEME = {
    "base": "dark",
    "primaryColor": "#f2b36b",
    "backgroundColor": "#101114",
    "secondaryBackgroundColor": "#191b20",
    "textColor": "#f1eee8",
    "baseRadius": "large",
}


def command(settings: Settings) -> list[str]:
    """The command line. XSRF protection and CORS stay as Streamlit has them: on."""
    options = {
        "server.address": settings.host,
        "server.port": str(settings.studio_port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": str(MAX_UPLOAD_MIB),
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "logger.level": "warning",
        "logger.hideWelcomeMessage": "true",
        **{f"theme.{name}": value for name, value in THEME.items()},
    }
    return [
        sys.executable,
        "-m",
        "web.studio.process",
        "run",
        str(APP),
        *(f"--{name}={value}" for name, value in options.items()),
    ]


def environment(settings: Settings) -> dict[str, str]:
    """This process's, with every setting written out, and importable from wherever it was started."""
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **settings.as_environment(), "PYTHONPATH": path}


def start(settings: Settings) -> "subprocess.Popen[bytes]":
    memory.keep_no_dumps()
    return subprocess.Popen(command(settings), env=environment(settings), start_new_session=True)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Asks, then insists."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(settings: Settings) -> None:
    """Blocks until Ctrl-C, SIGTERM, the terminal's or Streamlit's own end; the last one's status is the process's.

    Raises Unavailable where nobody can listen, when a port is taken say.
    """
    check_port_free(settings.host, settings.studio_port, "STYLIZER_STUDIO_PORT or --port")
    end_when_told()
    process = start(settings)
    try:
        status = process.wait()
    except (KeyboardInterrupt, SystemExit):
        stop(process)
    else:
        sys.exit(status if status >= 0 else 1)


def end_when_told() -> None:
    """By SystemExit, so that a studio in its own session does not stay behind when the terminal is closed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda *_: sys.exit(0))  # not stopped here: a wait would wait for itself


if __name__ == "__main__":
    run(Settings.load())
