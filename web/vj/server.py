"""Runs a show and its pages in one process, until Ctrl-C, SIGTERM or the show's own end."""

import atexit
import contextlib
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from typing import NoReturn

import segno
import uvicorn
from rich.console import Console

from stylizer.config import Settings
from stylizer.errors import Unavailable
from stylizer.logs import log
from stylizer.machine import has_screen
from stylizer.vj.inputs.mapping import Mapper
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.presets import Preset
from stylizer.vj.show import Show
from web.addresses import check_port_free, reachable_host, url
from web.api.server import leave, make_server
from web.vj.app import create_stage_app
from web.vj.stage import Stage

END_S = 5.0  # for the recording to be closed

out = Console()


def serve(
    settings: Settings,
    show: Show,
    broadcast: Broadcast,
    mapper: Mapper,
    presets: Sequence[Preset],
    devices: Callable[[], tuple[str, ...]],
    *,
    open_browser: bool = True,
) -> None:
    """Blocks. Raises Unavailable when the port is taken or the show ended by a fault."""
    check_port_free(settings.host, settings.port, "--port")
    app = create_stage_app(settings, Stage(show, broadcast, mapper, presets, devices))
    server = make_server(settings, app)
    playing = Playing(show, server)
    playing.start()
    _announce(settings, app.state.service.key, open_browser)
    signal.signal(signal.SIGTERM, _end)  # uvicorn raises the signal again once it is done
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run()
    finally:
        show.gesture("quit")
        playing.join(END_S)
    if playing.fault:
        raise Unavailable(f"the show ended: {playing.fault}")


def _end(*_: object) -> NoReturn:
    """The recording is still to be closed, and the inputs; taking the libraries down is left out, see `leave`."""
    atexit.register(leave, 0)
    sys.exit(0)


class Playing(threading.Thread):
    """The show in a thread of its own; when it ends, the server ends."""

    def __init__(self, show: Show, server: uvicorn.Server) -> None:
        super().__init__(name="show", daemon=True)
        self._show, self._server = show, server
        self.fault = ""

    def run(self) -> None:
        try:
            self._show.run()
        except Exception as error:  # told to whoever started it
            log.exception("the show ended")
            self.fault = f"{type(error).__name__}: {error}"
        finally:
            self._server.should_exit = True


def _announce(settings: Settings, key: str, open_browser: bool) -> None:
    host = reachable_host(settings.host)
    base = url(host, settings.port)
    control = f"{base}/#{key}"
    out.print(f"control  [bold]{control}[/]\noutput   [bold]{base}/output[/]", highlight=False, soft_wrap=True)
    if host != "localhost":
        segno.make(control).terminal(out=sys.stdout, compact=True)
    out.print("Ctrl-C ends the show", style="dim")
    if open_browser and has_screen():
        webbrowser.open(control)
