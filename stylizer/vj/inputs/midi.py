"""MIDI: controllers, keys and clock of whatever is plugged in, now or later."""

import threading
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Protocol

from stylizer.errors import Unavailable
from stylizer.logs import log

LOOK_EVERY_S = 0.25  # for devices that came or went: one that was away unseen would stay silent


class Backend(Protocol):
    """The two functions of mido that are used."""

    def get_input_names(self) -> list[str]: ...

    def open_input(self, name: str, callback: Callable[[Any], None]) -> Any: ...


def address_of(message: Any) -> tuple[str, float] | None:
    """A mido message -> its address and position 0..1; None for what turns nothing."""
    if message.type == "control_change":
        return f"cc:{message.channel}:{message.control}", message.value / 127
    if message.type in ("note_on", "note_off"):
        return f"note:{message.channel}:{message.note}", message.velocity / 127 if message.type == "note_on" else 0.0
    if message.type == "pitchwheel":
        return f"bend:{message.channel}", (message.pitch + 8192) / 16383
    return None


class MidiInput:
    """Opens every input port and keeps looking, so that a device may be unplugged and come back; what its keys held is
    let go.

    turned(address, position) and clock(kind), kind one of clock | start | continue | stop, are called on MIDI's own
    thread. backend: mido by default. gone: told the addresses of a device that went. Raises Unavailable when this
    machine has no MIDI at all.
    """

    def __init__(
        self,
        turned: Callable[[str, float], None],
        clock: Callable[[str], None] = lambda kind: None,
        backend: Backend | None = None,
        gone: Callable[[Collection[str]], None] = lambda addresses: None,
    ) -> None:
        self._turned, self._clock, self._gone = turned, clock, gone
        self._backend = backend or _mido()
        self._ports: dict[str, Any] = {}
        self._positions: dict[str, dict[str, float]] = {}  # by device and address, the newest
        self._closing = threading.Event()
        self.look()
        self._thread = threading.Thread(target=self._keep_looking, name="midi", daemon=True)
        self._thread.start()

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self._ports)

    def look(self) -> None:
        """Opens ports that are new, closes those that are gone. A port that cannot be opened is tried again later."""
        names = self._backend.get_input_names()
        for gone in [n for n in self._ports if n not in names]:
            log.info("midi device gone", device=gone)
            self._ports.pop(gone).close()
            positions = self._positions.pop(gone, {})
            for address in sorted(positions):
                if address.startswith("note:") and positions[address] > 0:
                    self._turned(address, 0.0)
            self._gone(positions)
        for name in names:
            if name not in self._ports:
                try:
                    self._ports[name] = self._backend.open_input(name, partial(self._receive, name))
                except Exception as error:  # rtmidi's own errors have no common base
                    log.warning("midi device does not open", device=name, reason=str(error))

    def _receive(self, device: str, message: Any) -> None:
        """One message, parsed by mido."""
        if message.type in ("clock", "start", "continue", "stop"):
            self._clock(message.type)
        elif (turned := address_of(message)) is not None:
            address, position = turned
            self._positions.setdefault(device, {})[address] = position
            self._turned(address, position)

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        for port in self._ports.values():
            port.close()
        self._ports.clear()

    def _keep_looking(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            try:
                self.look()
            except Exception as error:  # as above; the next look may be luckier
                log.debug("midi was not looked through", reason=str(error))


def _mido() -> Backend:
    try:
        import mido

        mido.get_input_names()
    except ImportError:
        raise Unavailable("MIDI needs mido and python-rtmidi: install stylizer[vj]") from None
    except Exception as error:  # rtmidi's own errors have no common base and no public name
        raise Unavailable(f"this machine has no MIDI ({error})") from None
    return _RtMidi(mido)


class _RtMidi:
    def __init__(self, mido: Any) -> None:
        self._mido = mido

    def get_input_names(self) -> list[str]:
        return list(dict.fromkeys(self._mido.get_input_names()))

    def open_input(self, name: str, callback: Callable[[Any], None]) -> Any:
        return self._mido.open_input(name, callback=callback)
