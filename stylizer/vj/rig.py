"""What is plugged into a show: opens each input and output there is, says what is missing, and goes on without it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from stylizer.errors import Unavailable
from stylizer.vj.outputs.outlet import Outlet
from stylizer.vj.show import Show

Missing = Callable[[Unavailable], None]


class Closing(Protocol):
    def close(self) -> None: ...


Part = TypeVar("Part", bound=Closing)


@dataclass(frozen=True, slots=True)
class Plugs:
    """Which inputs are wanted. MIDI and gamepad always are. osc_port: 0 for none. guest: see GuestFeed.

    osc_host: the address that OSC listens on. It knows no password: who reaches it plays.
    """

    osc_host: str = "127.0.0.1"
    osc_port: int = 9000
    microphone: bool = True
    sound_file: Path | None = None
    link: bool = False
    guest: str | None = None


def open_inputs(show: Show, plugs: Plugs, missing: Missing) -> list[Closing]:
    """All that open; the others are told to `missing`. A wrong file raises: it was named on purpose."""
    from stylizer.vj.inputs.audio import Microphone
    from stylizer.vj.inputs.gamepad import Gamepad
    from stylizer.vj.inputs.guests import GuestFeed
    from stylizer.vj.inputs.link import AbletonLink
    from stylizer.vj.inputs.midi import MidiInput
    from stylizer.vj.inputs.osc import OscInput
    from stylizer.vj.inputs.sound_file import SoundFilePlayer

    session = show.session

    def by_name(changes: dict[str, object]) -> None:
        session.bank.check_known(changes)
        show.change("osc", changes)

    wanted: list[Callable[[], Closing]] = [
        lambda: MidiInput(show.turned, show.midi_clock, gone=show.unplugged),
        lambda: Gamepad(show.turned),
    ]
    if plugs.osc_port:
        wanted.append(lambda: OscInput(by_name, show.gesture, host=plugs.osc_host, port=plugs.osc_port))
    if plugs.microphone:
        wanted.append(lambda: Microphone(show.heard))
    if plugs.sound_file is not None:
        file = plugs.sound_file
        wanted.append(lambda: SoundFilePlayer(file, show.heard))
    if plugs.link:
        wanted.append(lambda: AbletonLink(show.link))
    if plugs.guest is not None:
        source = plugs.guest
        wanted.append(lambda: GuestFeed(source, session.offer))
    return [opened for each in wanted if (opened := _opened(each, missing)) is not None]


def open_outlets(side: int, *, virtual_camera: bool, ndi: bool, missing: Missing) -> list[Outlet]:
    """Of side x side, px, from the first picture to the last: what takes them cannot change its size."""
    from stylizer.vj.outputs.ndi import ndi_source
    from stylizer.vj.outputs.virtual_camera import virtual_camera as camera

    wanted: list[Callable[[], Outlet]] = []
    if virtual_camera:
        wanted.append(lambda: camera(side))
    if ndi:
        wanted.append(lambda: ndi_source(side))
    return [opened for each in wanted if (opened := _opened(each, missing)) is not None]


def _opened(open_part: Callable[[], Part], missing: Missing) -> Part | None:
    try:
        return open_part()
    except Unavailable as error:
        missing(error)
        return None
