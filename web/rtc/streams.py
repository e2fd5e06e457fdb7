"""Who is being served: streams with their tokens, and the sweeper that frees the places of those who left."""

import asyncio
import hmac
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping

from stylizer.controls import Value
from stylizer.errors import NotFound
from stylizer.logs import log
from web.errors import WrongToken
from web.rtc.peer import Peer
from web.rtc.sdp import checked_offer
from web.rtc.session import Host, Session
from web.rtc.threads import slowly

CONNECT_S = 10.0  # from the stream's making, or from its newest offer, to a connection
SILENCE_S = 4.5  # no picture and no heartbeat for this long: the tab is gone. With SWEEP_S the place is free in 5 s
SWEEP_S = 0.5
CLOSE_S = 1.0  # for all connections at the process' end
RESUME_S = 120.0  # settings of a visitor whose line was lost are kept for so long
MAX_KEPT = 100
LOST = ("silence", "no connection")  # ends that nobody asked for
SUMMED = ("frames_in", "frames_out", "dropped", "failed")


Clock = Callable[[], float]


class Stream:
    """One visitor as the network sees it: a place in the worker, the token that owns it, at most one connection.

    pictures: held while one of the visitor's own is sent or taken away: they come in the order in which they were asked
    for.
    """

    def __init__(self, session: Session, clock: Clock) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(32)
        self.peer: Peer | None = None
        self.opened_at_s = clock()
        self.reconnects = 0
        self.pictures = asyncio.Lock()
        self._clock = clock
        self._lock = asyncio.Lock()
        self._ended = False

    @property
    def id(self) -> str:
        return self.session.id

    async def answer(self, offer_sdp: str, client: str) -> str:
        """A new connection, in the place of any old one; controls and memory stay.

        Raises BadInput, Unavailable, and NotFound when the stream ended while the offer waited.
        """
        sdp = checked_offer(offer_sdp, client)
        async with self._lock:
            if self._ended:
                raise NotFound(f"the stream {self.id} has ended")
            peer = Peer(self.session, self.opened_at_s, self._clock)
            try:
                answer = await peer.answer(sdp)
            except BaseException:
                await peer.close("failed")
                raise
            old, self.peer = self.peer, peer
            if old:
                self.reconnects += 1
                await old.close("replaced")
            return answer

    async def close(self, why: str) -> None:
        self._ended = True
        self.session.leave()
        async with self._lock:
            peer, self.peer = self.peer, None
            if peer:
                await peer.close(why)

    def lost(self, now_s: float) -> str | None:
        """Why this stream must go, or None while it may stay."""
        if self.peer is None:
            return "no offer came" if now_s - self.opened_at_s > CONNECT_S else None
        if self.peer.connected or self.peer.gone:
            return "silence" if now_s - max(self.peer.last_sign_s, self.peer.opened_at_s) > SILENCE_S else None
        return "no connection" if now_s - self.peer.opened_at_s > CONNECT_S else None


class Streams:
    """All streams of one worker. `run` sweeps until cancelled; `close` ends everything."""

    def __init__(self, worker: Host, clock: Clock = time.monotonic) -> None:
        self.worker = worker
        self.opened = self._reconnects = 0
        self.ended: Counter[str] = Counter()  # sums of the counters of streams that are gone
        self._clock = clock
        self._streams: dict[str, Stream] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._kept: dict[str, tuple[float, Mapping[str, Value]]] = {}  # token -> (lost when, what held)

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def sessions(self) -> list[Session]:
        return [stream.session for stream in self._streams.values()]

    @property
    def reconnects(self) -> int:
        """Connections replaced by a newer one of the same visitor, since the start."""
        return self._reconnects + sum(stream.reconnects for stream in self._streams.values())

    async def open(self, controls: Mapping[str, object] | None = None, resume: str | None = None) -> Stream:
        """Raises NoCapacity, BadInput, NotFound.

        resume: the token of a stream that was lost; what held there holds again, `controls` over it. No picture is.
        """
        wanted = {**self._held(resume), **(controls or {})}
        session = await slowly(self.worker.join, wanted)  # may load a style
        self._kept.pop(resume or "", None)
        stream = Stream(session, self._clock)
        self._streams[stream.id] = stream
        self.opened += 1
        return stream

    def _held(self, token: str | None) -> Mapping[str, Value]:
        lost_s, controls = self._kept.get(token or "", (float("-inf"), {}))
        return controls if self._clock() - lost_s < RESUME_S else {}

    def _keep(self, stream: Stream) -> None:
        now = self._clock()
        self._kept = {token: kept for token, kept in self._kept.items() if now - kept[0] < RESUME_S}
        if len(self._kept) < MAX_KEPT:
            self._kept[stream.token] = now, stream.session.controls

    def get(self, stream_id: str, token: str) -> Stream:
        """Raises NotFound for an unknown stream and WrongToken for somebody else's."""
        stream = self._streams.get(stream_id)
        if stream is None:
            raise NotFound(f"no stream {stream_id!r:.40}; it may have ended")
        if not hmac.compare_digest(stream.token.encode(), token.encode()):
            raise WrongToken("the bearer token does not belong to this stream")
        return stream

    async def drop(self, stream: Stream, why: str) -> None:
        if (ending := self._end(stream, why)) is not None:
            await asyncio.shield(ending)  # whoever is cancelled meanwhile, the connection still ends

    def _end(self, stream: Stream, why: str) -> "asyncio.Task[None] | None":
        """What ends its connection; None when that has begun before."""
        if self._streams.pop(stream.id, None):
            self._reconnects += stream.reconnects
            stats = stream.session.stats()
            self.ended.update({name: getattr(stats, name) for name in SUMMED})
            if why in LOST:
                self._keep(stream)
            log.info("stream ended", stream=stream.id, why=why, frames=stats.frames_out)
            ending = asyncio.create_task(stream.close(why))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            return ending
        return None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._sweep()

    def _sweep(self) -> None:
        """Apart from `run`, which would hold on to the last visitor, and their pictures, until the next one comes."""
        for stream in list(self._streams.values()):
            if (why := stream.lost(self._clock())) is not None:
                self._end(stream, why)  # not waited for: one that does not end would keep the places of all others

    async def close(self, why: str) -> None:
        """Tells everybody and ends every connection; one that does not end within CLOSE_S is left as it is."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*(self.drop(stream, why) for stream in list(self._streams.values())))
                await asyncio.gather(*self._ending)
        except TimeoutError:
            log.error("connections did not end in time", count=len(self._ending), within_s=CLOSE_S)
