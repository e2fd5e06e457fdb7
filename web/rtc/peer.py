"""One WebRTC connection of a stream: camera in, result out, a data channel beside them."""

import asyncio
import time
from collections.abc import Callable, Coroutine

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError

from stylizer.errors import BadInput, Unavailable
from stylizer.live import LiveSession
from stylizer.stages.outline import Outline
from web import compat
from web.rtc.intake import Intake
from web.rtc.messages import answer, bye_message, figure_message, stats_message
from web.rtc.output import ResultTrack
from web.rtc.session import Session
from web.rtc.threads import slowly

ANSWER_S = 5.0  # gathering takes some milliseconds without STUN
TICK_S = 1.0
FIGURE_S = 0.25  # between two looks at where the person stands
REPAIR_S = 0.1  # between two asks for what is missing
STALL_S = 1.0  # no camera frame for this long: ask the browser for a whole picture
MAX_WAITING_MESSAGES = 32  # the oldest goes when a page sends faster than it is answered
CHANNEL_BACKLOG_BYTES = 64 * 1024  # a page that reads nothing gets no more statistics

Clock = Callable[[], float]


class Peer:
    """Made for one offer; a browser that reconnects sends a new offer and gets a new peer.

    heard_at_s: when anything, picture or message, last came from the other side.
    """

    def __init__(self, session: Session, epoch_s: float, clock: Clock = time.monotonic) -> None:
        self.opened_at_s = self.heard_at_s = clock()
        self.intake = Intake(session, epoch_s, clock)
        self.output = ResultTrack(session, clock)
        self._session, self._clock = session, clock
        self._channel: RTCDataChannel | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        # No ICE servers: the browser brings the relay if one is needed; waiting for STUN costs seconds (aiortc 1183).
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._pc.on("track", self._on_track)
        self._pc.on("datachannel", self._on_channel)

    @property
    def connected(self) -> bool:
        return bool(self._pc.connectionState == "connected")

    @property
    def gone(self) -> bool:
        return compat.remote_ice_ended(self._pc)

    @property
    def last_sign_s(self) -> float:
        return max(self.heard_at_s, self.intake.last_at_s or 0.0)

    async def answer(self, offer_sdp: str) -> str:
        """The answer to an offer that `checked_offer` let through. Raises BadInput when aiortc refuses it even so."""
        self._pc.addTrack(self.output)
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._pc.setRemoteDescription(RTCSessionDescription(sdp=offer_sdp, type="offer"))
                await self._pc.setLocalDescription(await self._pc.createAnswer())
        except (ValueError, InternalError, InvalidAccessError, InvalidStateError, OperationError) as error:
            raise BadInput(f"sdp: {error}") from None
        except TimeoutError:
            raise Unavailable(f"no answer could be made within {ANSWER_S:g} s") from None
        self._start(self._tick())
        if isinstance(self._session, LiveSession):
            self._start(self._tell_figure(self._session))
        self._start(self._repair())
        return str(self._pc.localDescription.sdp)

    async def close(self, why: str) -> None:
        """Tells the page why, then ends everything that belongs to this connection."""
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(bye_message(why))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.output.stop()
        await self._pc.close()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_track(self, track: MediaStreamTrack) -> None:
        assert track.kind == "video", "checked_offer lets nothing else through"
        self._start(self.intake.run(track))

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if self._channel is not None:
            channel.close()
            return
        self._channel = channel

        inbox: asyncio.Queue[str | bytes] = asyncio.Queue(MAX_WAITING_MESSAGES)

        def on_message(message: str | bytes) -> None:
            self.heard_at_s = self._clock()
            if inbox.full():
                inbox.get_nowait()
            inbox.put_nowait(message)

        channel.on("message", on_message)
        self._start(self._reply(channel, inbox))

    async def _reply(self, channel: RTCDataChannel, inbox: "asyncio.Queue[str | bytes]") -> None:
        """In order and in a thread: a message may ask for a style that must first be loaded."""
        while True:
            reply = await slowly(answer, self._session, await inbox.get())
            if reply is not None and channel.readyState == "open":
                channel.send(reply)

    def _free_channel(self) -> RTCDataChannel | None:
        """The open channel, unless the page is behind with reading it."""
        channel = self._channel
        if channel is None or channel.readyState != "open" or channel.bufferedAmount >= CHANNEL_BACKLOG_BYTES:
            return None
        return channel

    async def _tell_figure(self, session: LiveSession) -> None:
        """Where the person stands, whenever that has changed: for the page's hint, and its rest with nobody there."""
        told: Outline | None = None
        while True:
            await asyncio.sleep(FIGURE_S)
            channel, outline = self._free_channel(), session.outline
            if channel is not None and outline != told:
                channel.send(figure_message(outline))
                told = outline

    async def _tick(self) -> None:
        """Once a second: statistics to the page, and a request for a whole picture while the camera is silent."""
        while True:
            await asyncio.sleep(TICK_S)
            if (channel := self._free_channel()) is not None:
                channel.send(stats_message(self._session.stats()))
            if self.connected and self._silent():
                await self._begin_anew()

    async def _repair(self) -> None:
        """Ten times a second: asks again for packets that did not come.

        After a silence whole pictures are wanted at once, both ways: a line that was cut lost others in each of them.
        """
        silent = False
        while True:
            await asyncio.sleep(REPAIR_S)
            if not self.connected:
                continue
            for receiver in self._pc.getReceivers():
                await compat.ask_again(receiver)
            was_silent, silent = silent, self._silent()
            if was_silent and not silent:
                await self._begin_anew()
                for sender in self._pc.getSenders():
                    compat.send_whole(sender)

    async def _begin_anew(self) -> None:
        for receiver in self._pc.getReceivers():
            await compat.begin_anew(receiver)

    def _silent(self) -> bool:
        return self._clock() - (self.intake.last_at_s or 0.0) > STALL_S
