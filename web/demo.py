"""Worker and studio at once, their addresses in the terminal, the booth in the browser."""

import os
import sys
import threading
import time
import webbrowser
from collections.abc import Callable

import httpx
import segno
from rich.console import Console

from stylizer.config import Settings
from stylizer.machine import has_screen
from web import memory
from web.addresses import EVERYWHERE, check_port_free, reachable_host, url
from web.api.server import make_server
from web.studio import launch

READY_S = 600.0  # the first start compiles networks
POLL_S = 0.3

out = Console()


def run(settings: Settings) -> None:
    """Blocks until Ctrl-C, SIGTERM or the terminal's end, then ends both. Raises Unavailable when a port is taken."""
    open_to_all = for_the_network(settings)
    check_port_free(open_to_all.host, open_to_all.port, "STYLIZER_PORT")
    check_port_free(settings.host, settings.studio_port, "STYLIZER_STUDIO_PORT")
    memory.use_few_arenas()
    launch.end_when_told()  # uvicorn raises the signal again once it is done
    studio, status = None, 0
    try:
        studio = launch.start(settings)
        server = make_server(open_to_all)
        told = open_to_all, addresses(settings)[1], lambda: server.should_exit
        threading.Thread(target=_announce, args=told, daemon=True).start()
        server.run()
        status = server.status
    except (KeyboardInterrupt, SystemExit):
        out.print("ended")
    finally:
        if studio is not None:
            launch.stop(studio)
    sys.stdout.flush()
    os._exit(status)  # a network that is just being compiled would abort the interpreter's own end


def addresses(settings: Settings) -> tuple[str, str]:
    """Of booth and studio, as a browser is to open them."""
    host = reachable_host(settings.host)
    return url(host, settings.port), url(host, settings.studio_port)


def for_the_network(settings: Settings) -> Settings:
    """Unless the user chose an address, the demo's booth can be opened by phones: they fetch their clips from it.

    The studio stays on this machine: whoever opens it may bring in styles.
    """
    return settings if "host" in settings.model_fields_set else settings.model_copy(update={"host": "0.0.0.0"})


def _announce(settings: Settings, studio: str, ended: Callable[[], bool]) -> None:
    booth, _ = addresses(settings)
    own = url("localhost" if settings.host in EVERYWHERE else reachable_host(settings.host), settings.port)
    out.print(f"booth   [bold]{own}[/]" + (f", for phones [bold]{booth}[/]" if booth != own else ""))
    out.print(f"studio  [bold]{studio}[/]\nkiosk   [bold]{own}/?auto=camera[/]")
    segno.make(booth).terminal(out=sys.stdout, compact=True)
    if booth == own:
        out.print("Only this machine can open it; STYLIZER_HOST=0.0.0.0 lets phones in.", style="dim")
    else:
        out.print("Phones see the sample clip: browsers give the camera only to https:// and localhost.", style="dim")
    out.print("warming up; Ctrl-C ends both", style="dim")
    end = time.monotonic() + READY_S
    while not ended() and time.monotonic() < end:
        if _ready(own):
            out.print("[green]ready[/]")
            if has_screen():
                webbrowser.open(own)
            return
        time.sleep(POLL_S)


def _ready(base: str) -> bool:
    try:
        return httpx.get(f"{base}/ready", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
