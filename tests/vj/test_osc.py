"""OSC: controls and gestures by UDP."""

import inspect
import socket
import threading
import time

import pytest
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from stylizer.controls import control
from stylizer.errors import Unavailable
from stylizer.vj import cli
from stylizer.vj.bank import Bank, Model
from stylizer.vj.inputs.mapping import Mapper
from stylizer.vj.inputs.osc import OscInput, addresses
from stylizer.vj.loop import open_loop
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.presets import Preset
from stylizer.vj.rig import Plugs, open_inputs
from stylizer.vj.session import VjSession
from stylizer.vj.show import Show
from tests.web.doubles import free_port, wait_for


def test_osc_is_heard_while_a_model_is_read(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tablet's blackout waited for the disk."""
    show = Show(VjSession(bank, loop=open_loop(compiles=False)), Broadcast(), [], Mapper())
    read, dark, waited = bank.get, threading.Event(), list[bool]()

    def slow(name: str) -> Model:
        if name == "two":
            waited.append(dark.wait(5))
        return read(name)

    monkeypatch.setattr(bank, "get", slow)
    opened = open_inputs(show, Plugs(osc_port=free_port(), microphone=False), lambda error: None)
    (osc,) = [each for each in opened if isinstance(each, OscInput)]
    client = SimpleUDPClient("127.0.0.1", osc.port)
    client.send_message("/stylizer/model_a", "two")
    client.send_message("/stylizer/blackout", 1)
    wait_for(lambda: show.session.controls["blackout"] is True, 10)
    dark.set()
    wait_for(lambda: show.session.controls["model_a"] == "two", 10)
    client._sock.close()
    for each in opened:
        each.close()
    assert waited == [True]


def test_osc_is_heard_while_the_next_presets_model_is_read(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faders and blackout of the same tablet waited for the disk."""
    dark, waited = threading.Event(), list[bool]()
    monkeypatch.setattr(VjSession, "play", lambda *_, **__: waited.append(dark.wait(5)))
    show = Show(VjSession(bank, loop=open_loop(compiles=False)), Broadcast(), [Preset("a", "A", {})], Mapper())
    osc = OscInput(lambda change: dark.set(), show.gesture, port=0)
    client = SimpleUDPClient("127.0.0.1", osc.port)
    client.send_message("/stylizer/next", 1)
    client.send_message("/stylizer/blackout", 1)
    wait_for(lambda: bool(waited), 10)
    client._sock.close()
    osc.close()
    assert waited == [True]


def test_osc_reaches_the_ends_of_every_control() -> None:
    """A number of four bytes that means 1.1 is a little more than that."""
    changes: dict[str, object] = {}

    def apply(change: dict[str, object]) -> None:
        changes.update({name: control(name).check(value) for name, value in change.items()})

    osc, ends = OscInput(apply, port=0), {"zoom": 1.1, "shift_x": -0.05, "shift_y": 0.05, "hue": 0.123}
    client = SimpleUDPClient("127.0.0.1", osc.port)
    for name, value in ends.items():
        client.send_message("/stylizer/" + name, value)
    wait_for(lambda: len(changes) + osc.refused == len(ends), 10)
    client._sock.close()
    osc.close()
    assert changes == ends


def test_osc_sets_controls_and_refuses_what_is_wrong() -> None:
    changes: list[dict[str, object]] = []
    gestures: list[str] = []

    def apply(change: dict[str, object]) -> None:
        for name, value in change.items():
            control(name).check(value)
        changes.append(change)

    osc = OscInput(apply, gestures.append, port=0)
    client = SimpleUDPClient("127.0.0.1", osc.port)
    for address, value in [
        ("rate", 1.5),
        ("freeze", 1),
        ("fold", "quad"),
        ("output_size", 512),
        ("rate", 9.0),
        ("nobody", 1),
        ("record", 0.0),  # a button that is let go
        ("tap", 1),
    ]:
        client.send_message("/stylizer/" + address, value)
    deadline = time.monotonic() + 10
    while not gestures and time.monotonic() < deadline:
        time.sleep(0.01)
    client._sock.close()
    osc.close()
    assert changes == [{"rate": 1.5}, {"freeze": True}, {"fold": "quad"}, {"output_size": "512"}]
    assert gestures == ["tap"] and osc.refused == 2 and "nobody" in osc.reason
    assert ("/stylizer/rate", "0 to 2") in addresses()


def test_osc_listens_to_this_machine_alone_unless_it_is_told_otherwise() -> None:
    assert Plugs().osc_host == "127.0.0.1"
    assert inspect.signature(cli.play).parameters["osc_host"].default == "127.0.0.1"


def test_osc_listens_where_it_is_told_and_opens_no_files(bank: Bank) -> None:
    """Another address of this machine stands for the network's. A slot takes names: a path is refused."""
    show = Show(VjSession(bank, loop=open_loop(compiles=False)), Broadcast(), [], Mapper())
    opened = open_inputs(show, Plugs(osc_host="127.0.0.2", osc_port=free_port(), microphone=False), lambda error: None)
    (osc,) = [each for each in opened if isinstance(each, OscInput)]
    client = SimpleUDPClient("127.0.0.2", osc.port)
    for name, value in (("model_a", "two"), ("model_b", "/etc/some.pict"), ("rate", 1.5)):
        client.send_message(f"/stylizer/{name}", value)
    deadline = time.monotonic() + 10
    while show.session.controls["rate"] != 1.5 or show.session.controls["model_a"] != "two":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    client._sock.close()
    for each in opened:
        each.close()
    now = show.session.controls
    assert (now["model_a"], now["model_b"], now["rate"]) == ("two", "flames", 1.5)
    assert osc.refused == 1 and "no model is called '/etc/some.pict'" in osc.reason


def test_osc_from_a_clock_that_is_ahead_holds_nothing_up() -> None:
    applied: list[dict[str, object]] = []
    osc = OscInput(applied.append, port=0)
    bundle, message = OscBundleBuilder(time.time() + 60), OscMessageBuilder("/stylizer/segments")
    message.add_arg(8)
    bundle.add_content(message.build())
    client = SimpleUDPClient("127.0.0.1", osc.port)
    client.send(bundle.build())
    client.send_message("/stylizer/segments", 9)
    client._sock.close()
    wait_for(lambda: len(applied) == 2, 10)
    osc.close()
    assert applied == [{"segments": 8}, {"segments": 9}]


def test_a_packet_that_is_no_osc_is_counted_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Each printed a traceback into the show's terminal; a text in another encoding is enough."""
    applied: list[dict[str, object]] = []
    osc = OscInput(applied.append, port=0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for broken in (b"/stylizer/fold\0\0,s\0\0qu\xe9\0", b"/caf\xe9\0\0\0,i\0\0\0\0\0\1"):
            line.sendto(broken, ("127.0.0.1", osc.port))
    client = SimpleUDPClient("127.0.0.1", osc.port)
    client.send_message("/stylizer/segments", 9)
    client._sock.close()
    wait_for(lambda: bool(applied), 10)
    osc.close()
    assert osc.refused == 2 and "no OSC" in osc.reason and "Traceback" not in capfd.readouterr().err


def test_an_osc_port_that_is_taken_is_named() -> None:
    first = OscInput(lambda change: None, port=0)
    with pytest.raises(Unavailable, match=str(first.port)):
        OscInput(lambda change: None, port=first.port)
    first.close()
