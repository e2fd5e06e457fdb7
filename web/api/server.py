"""Runs the worker's application until SIGTERM or Ctrl-C."""

import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from stylizer.config import Settings
from stylizer.garbage import collect_the_new_only
from stylizer.logs import log
from web import memory
from web.addresses import check_port_free, url
from web.api.app import create_app
from web.api.connections import Connections
from web.api.service import ServedPipeline
from web.compat_http import keep_no_addresses

MAX_SOCKET_BYTES = 64 * 1024  # beyond this a WebSocket is closed; what is refused in words is far smaller
BACKLOG = 128  # accepted in one go before any of them is counted; asyncio knows no other measure
# From being told to the end, each step at its longest: a tenth of a second until the server looks, as long for it to
# stop listening, GRACE_S for requests under way, CLOSE_S (streams.py) for visitors, STOP_S (live.py) for the pipeline.
GRACE_S = 1
EXIT_S = 4.2  # after that the process ends, whatever still hangs
LAST_S = 4.6  # and after that the kernel ends it: no thread of ours runs while a native call holds the interpreter


def make_server(settings: Settings, app: FastAPI | None = None) -> "Server":
    """app: the worker's own unless given."""
    memory.keep_no_dumps()
    app = app or create_app(settings)
    server = Server(config_of(settings, app))
    if hasattr(app.state, "service"):
        app.state.service.loaded = collect_the_new_only
        app.state.service.give_up = server.give_up
    return server


def config_of(settings: Settings, app: FastAPI) -> uvicorn.Config:
    """Of a server for this app: one that counts its connections as the app's service does."""
    service = getattr(app.state, "service", None)
    keep_no_addresses()
    connections: Connections = service.connections if service else Connections.allowed_by(settings)
    return uvicorn.Config(
        app,
        host="" if settings.host == "::" else settings.host,  # asyncio takes "::" for IPv6 alone
        port=settings.port,
        timeout_graceful_shutdown=GRACE_S,
        http=connections.http(),
        ws=connections.socket(),
        access_log=False,  # addresses of visitors are nobody's business
        log_level="warning",
        server_header=False,
        ws_max_size=MAX_SOCKET_BYTES,
        backlog=BACKLOG,
    )


class Server(uvicorn.Server):
    """Ends within LAST_S of being told, even when a native call does not come back.

    status: the process's, for whoever starts it again where it ended by a fault.
    """

    status = 0

    def give_up(self) -> None:
        self.status = 1
        self.stop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._end_in_time()
        super().handle_exit(sig, frame)  # where the end was told before, Ctrl-C forces it: nothing is closed

    def stop(self) -> None:
        self._end_in_time()
        self.should_exit = True

    def _end_in_time(self) -> None:
        """Told twice, the first time counts."""
        if not self.should_exit:
            signal.setitimer(signal.ITIMER_REAL, LAST_S)  # nobody handles its signal
            deadline = threading.Timer(EXIT_S, _end_at_once)
            deadline.daemon = True
            deadline.start()


def _end_at_once() -> None:
    log.error("something did not end in time; the process is ended", threads=[t.name for t in threading.enumerate()])
    os._exit(1)


def serve(settings: Settings, pipeline: ServedPipeline | None = None) -> NoReturn:
    """Until SIGTERM or Ctrl-C; then visitors are told, connections closed, the pipeline and the process ended.

    Raises Unavailable where nobody can listen, when a port is taken say.
    """
    check_port_free(settings.host, settings.port, "STYLIZER_PORT or --port")
    memory.use_few_arenas()
    log.info("worker", address=url(settings.host, settings.port))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal again once it is done
    server = make_server(settings, create_app(settings, pipeline))
    status: str | int | None = 0
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    except SystemExit as end:
        status = end.code
    leave(status or server.status)


def leave(status: str | int | None) -> NoReturn:
    """Ends the process at once when all is closed: taking the interpreter and its libraries down can take seconds.

    Measured on two cores with 14 busy processes beside it: 0.4 s until all was closed, 3.9 s for the rest.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else bool(status))


if __name__ == "__main__":
    serve(Settings.load())
