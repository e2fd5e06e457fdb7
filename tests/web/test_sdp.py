"""What an offer cannot make the worker do: no packet goes where the visitor has no business."""

import asyncio
import socket
import time

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from stylizer.live import Worker
from tests.web.doubles import ColourPipeline, PaintedTrack
from tests.web.line import udp_socket
from web import compat
from web.rtc.streams import Stream

pytestmark = pytest.mark.timeout(60)
ENOUGH = 4  # connectivity checks to the address that is allowed; by then the other would have had as many
WAIT_S = 30.0


def _packets(listener: socket.socket) -> int:
    count = 0
    try:
        while listener.recv(2048):
            count += 1
    except BlockingIOError:
        pass
    return count


async def _offer_to(stream: Stream, target: socket.socket, client: str) -> RTCPeerConnection:
    """A whole offer whose only candidate is `target`, as if it had come from the address `client`."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTrack(PaintedTrack((9, 9, 9)))
    await pc.setLocalDescription(await pc.createOffer())
    lines = [line for line in pc.localDescription.sdp.splitlines() if "candidate" not in line]
    port = target.getsockname()[1]
    await stream.answer("\r\n".join([*lines, f"a=candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host", ""]), client)
    return pc


def test_an_inner_address_named_by_a_stranger_gets_no_packet() -> None:
    compat.offer_loopback_candidate()
    worker = Worker(ColourPipeline(), capacity=2)

    async def run() -> tuple[int, int]:
        streams = [Stream(worker.join(), time.monotonic) for _ in range(2)]
        with udp_socket() as allowed, udp_socket() as inner:
            pcs = [
                await _offer_to(streams[0], inner, client="8.8.8.8"),
                await _offer_to(streams[1], allowed, client="127.0.0.1"),
            ]
            got = 0
            async with asyncio.timeout(WAIT_S):
                while got < ENOUGH:
                    await asyncio.sleep(0.05)
                    got += _packets(allowed)
            for each in (*streams, *pcs):
                await (each.close("over") if isinstance(each, Stream) else each.close())
            return got, _packets(inner)

    worker.start()
    try:
        to_allowed, to_inner = asyncio.run(run())
    finally:
        worker.stop()
    assert to_allowed >= ENOUGH and to_inner == 0
