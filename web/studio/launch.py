"""Runs the studio: Streamlit in a process of its own, with our settings in its environment."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from stylizer.config import Settings
from stylizer.weights.importing import MAX_WEIGHTS_BYTES

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
        "streamlit",
        "run",
        str(APP),
        *(f"--{name}={value}" for name, value in options.items()),
    ]


def environment(settings: Settings) -> dict[str, str]:
    """This process's, with every setting written out, and importable from wherever it was started."""
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **settings.as_environment(), "PYTHONPATH": path}


def start(settings: Settings) -> "subprocess.Popen[bytes]":
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
    """Blocks until Ctrl-C, SIGTERM or Streamlit's own end."""
    process = start(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # out of the wait: one inside it would wait for itself
    try:
        process.wait()
    except (KeyboardInterrupt, SystemExit):
        stop(process)


if __name__ == "__main__":
    run(Settings.load())
