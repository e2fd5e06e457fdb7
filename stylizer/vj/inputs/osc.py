"""OSC over UDP: each control has its address `/stylizer/NAME`; one number, text or boolean sets it."""

import sys
import threading
from collections.abc import Callable

from stylizer.controls import CONTROLS, control
from stylizer.errors import StylizerError, Unavailable
from stylizer.logs import log

PREFIX = "/stylizer/"
GESTURES = {  # address -> the show's name for it, and what it does
    "tap": ("tap", "a tap of the tempo"),
    "undo": ("undo", "back to before the last gesture"),
    "next": ("next preset", "on to the next preset within four beats"),
    "record": ("record", "starts or ends the recording"),
}


def addresses() -> list[tuple[str, str]]:
    """(address, what it takes) of every control, and of the gestures."""
    rows = [(PREFIX + c.name, c.allowed) for c in CONTROLS.values() if c.page == "vj"]
    return rows + [(PREFIX + name, f"anything but 0, a button let go: {what}") for name, (_, what) in GESTURES.items()]


class OscInput:
    """Listens on a UDP port until `close`. What cannot be understood is counted and the last reason kept.

    apply(changes): usually VjSession.apply. gesture(name): usually Show.gesture. Both are called on OSC's own thread.
    host: an address of this machine, 0.0.0.0 for all of them: OSC has no password, who reaches the port plays.
    Raises Unavailable when address and port cannot be had or python-osc is not installed.
    """

    def __init__(
        self,
        apply: Callable[[dict[str, object]], None],
        gesture: Callable[[str], None] = lambda name: None,
        *,
        host: str = "127.0.0.1",
        port: int = 9000,
    ) -> None:
        try:
            from pythonosc.dispatcher import Dispatcher
            from pythonosc.osc_server import BlockingOSCUDPServer
        except ImportError:
            raise Unavailable("OSC needs python-osc: install stylizer[vj]") from None
        self._apply, self._gesture = apply, gesture
        self.refused, self.reason = 0, ""
        dispatcher = Dispatcher(strict_timing=False)  # or a bundle from a clock that is ahead stops all that follow
        dispatcher.set_default_handler(self._receive)
        try:
            self._server = BlockingOSCUDPServer((host, port), dispatcher)
        except OSError as error:
            raise Unavailable(f"OSC: {host}:{port} cannot be listened on ({error.strerror})") from None
        self._server.handle_error = self._no_osc
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="osc", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _receive(self, address: str, *values: object) -> None:
        name = address.removeprefix(PREFIX)
        if name in GESTURES:
            if values[:1] != (0,):
                self._gesture(GESTURES[name][0])
            return
        try:
            if not values:
                raise StylizerError(f"{address}: comes without a value")
            value = values[0]
            if isinstance(value, float):  # of four bytes: 1.1 comes as 1.10000002, which is beyond zoom's end
                value = float(f"{value:.7g}")
            if control(name).kind == "bool" and value in (0, 1):  # most senders know no booleans
                value = bool(value)
            elif control(name).kind == "choice" and isinstance(value, int | float):  # 512 and 512.0 as well as "512"
                value = f"{value:g}"
            self._apply({name: value})
        except StylizerError as error:
            self._refuse(address, str(error))

    def _no_osc(self, _request: object, client: object) -> None:
        """In place of the traceback that the server prints for a packet that cannot be read."""
        self._refuse(str(client), f"no OSC: {sys.exception()}")

    def _refuse(self, source: str, reason: str) -> None:
        self.refused, self.reason = self.refused + 1, reason
        log.debug("osc message refused", source=source, reason=reason)
