"""A gamepad through Linux's joystick interface: sticks and buttons as addresses, without any library.

Each event is eight bytes: u32 milliseconds, s16 value, u8 kind (1 button, 2 axis, 0x80 added while the present state
is told), u8 number (Linux: Documentation/input/joydev/joystick-api.rst).
"""

import math
import os
import select
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from stylizer.errors import Unavailable
from stylizer.logs import log
from stylizer.vj.inputs.mapping import Binding

EVENT = struct.Struct("<IhBB")
BUTTON, AXIS, INITIAL = 1, 2, 0x80
LOOK_EVERY_S = 2.0
REST = 0.1  # of a stick's way: a worn one rests so far beside its middle, and trembles there
DEVICE = Path("/dev/input/js0")

# Left stick moves, right stick fades and turns colours, buttons hold what a show needs at once.
GAMEPAD_MAP = (
    Binding("axis:0", "shift_x"),
    Binding("axis:1", "shift_y"),
    Binding("axis:3", "hue"),
    Binding("axis:4", "crossfade"),
    Binding("button:0", "freeze"),
    Binding("button:1", "blackout"),
)


def address_of(event: bytes) -> tuple[str, float] | None:
    """Eight bytes -> address and position 0..1, sticks at rest 0.5; None for what turns nothing."""
    _, value, kind, number = EVENT.unpack(event)
    return None if kind & INITIAL else _turned(value, kind, number)  # nobody moved what is told when it is plugged in


def rest_of(event: bytes) -> tuple[str, float] | None:
    """Where a stick or trigger stands when it is plugged in; None for any other event."""
    _, value, kind, number = EVENT.unpack(event)
    return _turned(value, AXIS, number) if kind == INITIAL | AXIS else None


def _turned(value: int, kind: int, number: int) -> tuple[str, float] | None:
    if kind == BUTTON:
        return f"button:{number}", float(value)
    return (f"axis:{number}", _stick(value)) if kind == AXIS and value >= -32767 else None


def _stick(value: int) -> float:
    """-32767..32767 -> position 0..1."""
    away = max(0.0, abs(value) / 32767 - REST) / (1 - REST)
    return 0.5 + math.copysign(away, value) / 2


class Gamepad:
    """Reads the device until `close`; it may be unplugged and come back: buttons and sticks held then are let go.
    turned: called on its own thread.

    Raises Unavailable where there is no such interface.
    """

    def __init__(self, turned: Callable[[str, float], None], device: Path = DEVICE) -> None:
        if not device.parent.is_dir():
            raise Unavailable(f"gamepads are read from {device}, which this machine does not have")
        self._turned, self._device = turned, device
        self._positions: dict[str, float] = {}  # as told
        self._rests: dict[str, float] = {}  # of sticks in the middle, of triggers at an end
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gamepad", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                descriptor = os.open(self._device, os.O_RDONLY | os.O_NONBLOCK)
            except OSError:  # not plugged in: looked for again
                self._closing.wait(LOOK_EVERY_S)
                continue
            try:
                self._read(descriptor)
            except OSError:
                log.info("gamepad gone", device=str(self._device))
                self._let_go()
                self._closing.wait(LOOK_EVERY_S)
            finally:
                os.close(descriptor)

    def _let_go(self) -> None:
        for address, at in sorted(self._positions.items()):
            if at != (rest := self._rests.get(address, 0.5 if address.startswith("axis:") else 0.0)):
                self._turned(address, rest)
        self._positions.clear()

    def _read(self, descriptor: int) -> None:
        """Until closing. Raises OSError when the device is gone."""
        waiting = b""
        while not self._closing.is_set():
            if not select.select([descriptor], [], [], 0.1)[0]:
                continue
            data = os.read(descriptor, EVENT.size * 64)
            if not data:
                raise OSError("end of the device")
            waiting += data
            while len(waiting) >= EVENT.size:
                event, waiting = waiting[: EVENT.size], waiting[EVENT.size :]
                if (rest := rest_of(event)) is not None:
                    self._rests[rest[0]] = rest[1]
                elif (turned := address_of(event)) is not None:
                    address, position = turned
                    if position != self._positions.get(address, 0.5):
                        self._positions[address] = position
                        self._turned(address, position)
