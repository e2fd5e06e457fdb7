"""Every private name of aiortc, aioice and Streamlit that `web/` touches, and nothing else; those of uvicorn and
Starlette are in `compat_http.py`. Seen working: aiortc 1.16, aioice 0.13.

Each function says what the library lacks in public; when one of them breaks after an upgrade, this is the file to mend.
"""

import contextlib
import importlib
import queue
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from types import SimpleNamespace

import aioice.ice
import aiortc.clock
import aiortc.codecs
import aiortc.codecs.h264
import aiortc.codecs.vpx
import aiortc.jitterbuffer
import aiortc.rate
import aiortc.rtcpeerconnection
import aiortc.rtcrtpreceiver
import aiortc.rtcsctptransport
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.rtp import RtpPacket
from aiortc.sdp import SessionDescription
from aiortc.utils import uint16_add
from av import CodecContext, FFmpegError, VideoFrame
from av.video.codeccontext import VideoCodecContext

from stylizer.errors import BadInput, Unavailable
from stylizer.logs import log

START_BITRATE = 1_500_000  # bits per second; flat drawn pictures of 256 to 640 px look clean from about 1 Mbit/s
MAX_BITRATE = 4_000_000
MAX_UNDECODED = 30  # pictures that wait for their decoder: a second's worth, and more than any camera of ours sends
MAX_PIECES = 256  # of data channel messages that are not whole yet; the largest message that aiortc allows has 230
MAX_CHANNELS = 16
BITS_PER_PIXEL = 12  # a second, a choice: 3 Mbit/s at 512x512


class _Capped:
    """An encoder that spends no more than its picture's size is worth, whatever the line would carry."""

    target_bitrate: int

    def encode(self, frame: VideoFrame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        self.target_bitrate = min(self.target_bitrate, BITS_PER_PIXEL * frame.width * frame.height)
        result: tuple[list[bytes], int] = super().encode(frame, force_keyframe)  # type: ignore[misc]
        return result


class _CappedVp8(_Capped, aiortc.codecs.vpx.Vp8Encoder):  # type: ignore[misc]  # aiortc counts as untyped here
    pass


class _CappedH264(_Capped, aiortc.codecs.h264.H264Encoder):  # type: ignore[misc]
    """With settings for live pictures: aiortc leaves x264 at `medium`, 6.3 ms for 512x512 px where VP8 takes 2.0."""

    codec: VideoCodecContext | None

    def _encode_frame(self, frame: VideoFrame, force_keyframe: bool) -> Iterator[bytes]:
        now = self.codec
        if (
            now is None
            or (now.width, now.height) != (frame.width, frame.height)
            or abs(self.target_bitrate / (now.bit_rate or 1) - 1) > 0.09  # aiortc makes its own anew from a tenth on
        ):
            self.codec = _live_h264(frame.width, frame.height, self.target_bitrate)
        result: Iterator[bytes] = super()._encode_frame(frame, force_keyframe)
        return result


# In this order, each with its options: NVIDIA's encoder on the card, where there is one (data centre cards often have
# none), and x264 at 1.3 ms a picture of 512x512.
_H264_WAYS: list[tuple[str, dict[str, str]]] = [
    (
        "h264_nvenc",
        {"preset": "p1", "tune": "ull", "forced-idr": "1", "delay": "0", "rc": "cbr", "profile": "baseline"},
    ),
    ("libx264", {"preset": "superfast", "tune": "zerolatency", "level": "31"}),
]


def _live_h264(width: int, height: int, bitrate: int) -> VideoCodecContext:
    """An open encoder; a way that this machine refuses once is not asked again."""
    for name, options in list(_H264_WAYS):
        context = CodecContext.create(name, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.bit_rate, context.pix_fmt = width, height, bitrate, "yuv420p"
        context.framerate, context.time_base = Fraction(30), Fraction(1, 30)
        context.options, context.profile = options, "Baseline"
        try:
            context.open()
        except FFmpegError as error:
            with contextlib.suppress(ValueError):  # another stream's thread was quicker
                _H264_WAYS.remove((name, options))
            log.info("h264 encoder is not there", encoder=name, reason=str(error))
        else:
            return context
    raise Unavailable("no H.264 encoder opens on this machine")


def bound_video_bitrates() -> None:
    """aiortc starts VP8 at 0.5 and ends it at 1.5 Mbit/s for every size, with no parameter (aiortc 402, 1159)."""
    for codec in (aiortc.codecs.vpx, aiortc.codecs.h264):
        codec.DEFAULT_BITRATE = START_BITRATE
        codec.MAX_BITRATE = MAX_BITRATE
    aiortc.codecs.Vp8Encoder, aiortc.codecs.H264Encoder = _CappedVp8, _CappedH264


_own_addresses = aioice.ice.get_host_addresses


def _addresses_with_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return [*_own_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6), *(["127.0.0.1"] if use_ipv4 else [])]


def offer_loopback_candidate() -> None:
    """aioice leaves 127.0.0.1 out, so that on a machine without any network the browser beside it could not connect."""
    aioice.ice.get_host_addresses = _addresses_with_loopback


def parse_sdp(sdp: str) -> SessionDescription:
    """aiortc's parser takes its lines on trust and fails with whatever Python raises there; here it is BadInput."""
    try:
        return SessionDescription.parse(sdp)
    except (ValueError, LookupError, AttributeError, TypeError, AssertionError, StopIteration) as error:
        raise BadInput(f"sdp: it does not parse ({type(error).__name__}: {error})") from None


async def request_keyframe(receiver: RTCRtpReceiver) -> None:
    """Asks the sender of a received track for a whole picture (PLI); aiortc does so only after a decoding error."""
    for ssrc in list(receiver._RTCRtpReceiver__remote_streams):
        await receiver._send_rtcp_pli(ssrc)


def remote_ice_ended(pc: RTCPeerConnection) -> bool:
    """True when the far side is gone for the transport, which `connectionState` tells late, or never once failed."""
    return pc.connectionState in ("closed", "failed") or pc.iceConnectionState in ("closed", "failed")


def load_streamlits_late_imports() -> None:
    """Streamlit imports pandas at the first component, in the middle of starting a camera, altair at the first curve:
    seconds."""
    importlib.import_module("pandas")
    importlib.import_module("altair")


def call_when_studio_stream_ends(track: MediaStreamTrack, callback: Callable[[], None]) -> None:
    """streamlit-webrtc stops only its own relay of a source track, not the track; this hook of its track factories is
    called when a stream ends for any reason (stop, closed tab, another page)."""
    track._streamlit_webrtc_lifecycle_scope = "webrtc-session"
    track._streamlit_webrtc_reset_on_session_end = callback


def studio_page_present() -> Callable[[], bool]:
    """Whether the page whose script calls this still has its connection; the answer may be asked for in any thread.

    Streamlit ends a closed page's session after two minutes, streamlit-webrtc its stream after half a minute.
    """
    from streamlit.runtime import get_instance  # here and below: the worker, which also reads this file, is spared it
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx()
    assert context is not None, "only a page's script may ask"
    runtime, session_id = get_instance(), context.session_id
    return lambda: runtime.is_active_session(session_id)


def studio_component_is_up(key: str) -> bool:
    """Whether the WebRTC component of this key has come up in the browser and said its first word.

    Its frontend fetches code between being told to play and remembering that it was, and starts once more for every
    script run in between: several offers, of which it keeps the last and we answer the first, never to connect. Its
    first word is such a run.
    """
    import streamlit
    from streamlit_webrtc import component

    return component.generate_frontend_component_key(key) in streamlit.session_state


def keep_studio_stream(key: str) -> None:
    """streamlit-webrtc takes a component for one of another page when its count of script runs jumps by two, which a
    late event loop makes it do, and stops it."""
    import streamlit

    if (context := streamlit.session_state.get(key)) is not None:
        context._last_rendered_run_count = None


class _PromptJitterBuffer(aiortc.jitterbuffer.JitterBuffer):  # type: ignore[misc]  # aiortc counts as untyped here
    """Hands a picture over with its last packet (RTP's marker bit); aiortc waits for the first of the next one.

    At 30 fps that is 33 ms less.
    """

    _newest: int | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, aiortc.jitterbuffer.JitterFrame | None]:
        """One that was sent again for what is given up meanwhile is left out.

        aiortc would go back to it, wait there for all that followed, and take its time for one 13 hours later.
        """
        number = packet.sequence_number
        if self._newest is not None and 0 < uint16_add(self._newest, -number) < self.capacity:
            if self._origin is None or 0 < uint16_add(self._origin, -number) < self.capacity:
                return False, None
        else:
            self._newest = number
        result: tuple[bool, aiortc.jitterbuffer.JitterFrame | None] = super().add(packet)
        return result

    def _remove_frame(self, sequence_number: int) -> aiortc.jitterbuffer.JitterFrame | None:
        if not self._is_video:
            return super()._remove_frame(sequence_number)
        packets: list[RtpPacket] = []
        for count in range(self.capacity):
            packet = self._packets[(self._origin + count) % self.capacity]
            if packet is None:
                return None
            if packets and packet.timestamp != packets[0].timestamp:
                break  # a sender that sets no marker
            packets.append(packet)
            if packet.marker:
                break
        self.remove(len(packets))
        frame = aiortc.jitterbuffer.JitterFrame(b"".join(p._data for p in packets), packets[0].timestamp)
        frame.payload_type = packets[0].payload_type
        return frame


class _PromptReceiver(RTCRtpReceiver):  # type: ignore[misc]
    """aiortc decodes one picture for each packet that comes: what had waited for a lost packet stays late for ever.

    And what comes faster than it is decoded it keeps, without end; whoever closes the connection waits for all of it.
    """

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        if self._RTCRtpReceiver__decoder_queue.qsize() >= MAX_UNDECODED:
            self._forget_undecoded()
            await begin_anew(self)
        await super()._handle_rtp_packet(packet, arrival_time_ms)
        buffer = self._RTCRtpReceiver__jitter_buffer
        while buffer._origin is not None and (frame := buffer._remove_frame(0)) is not None:
            frame.timestamp = self._RTCRtpReceiver__timestamp_mapper.map(frame.timestamp)
            codec = self._RTCRtpReceiver__codecs[frame.payload_type]
            self._RTCRtpReceiver__decoder_queue.put((codec, frame))

    async def stop(self) -> None:
        self._forget_undecoded()
        await super().stop()

    def _forget_undecoded(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._RTCRtpReceiver__decoder_queue.get_nowait()


class _BoundedSctp(aiortc.rtcsctptransport.RTCSctpTransport):  # type: ignore[misc]
    """aiortc keeps each piece of a message that never ends, and looks through all of them whenever one comes.

    Pages send some hundred bytes at a time; whoever sends so much more loses the data channel.
    """

    async def _receive_data_chunk(self, chunk: aiortc.rtcsctptransport.DataChunk) -> None:
        await super()._receive_data_chunk(chunk)
        pieces = sum(len(stream.reassembly) for stream in self._inbound_streams.values()) + len(self._sack_misordered)
        if pieces > MAX_PIECES or len(self._inbound_streams) > MAX_CHANNELS:
            await self.stop()
            self._inbound_streams.clear()


def receive_promptly() -> None:
    """For every connection made from now on; and what waits to be whole or decoded is bounded."""
    aiortc.rtcrtpreceiver.JitterBuffer = _PromptJitterBuffer
    aiortc.rtcpeerconnection.RTCRtpReceiver = _PromptReceiver
    aiortc.rtcpeerconnection.RTCSctpTransport = _BoundedSctp


class _PatientRateCounter(aiortc.rate.RateCounter):  # type: ignore[misc]
    """aiortc steps through each millisecond since the last packet: after a night of silence all wait for seconds."""

    _origin_ms: int | None

    def _erase_old(self, now_ms: int) -> None:
        if self._origin_ms is not None and now_ms - self._origin_ms > 2 * self._window_size:
            self.reset()
            self._origin_ms = now_ms
        super()._erase_old(now_ms)


def measure_without_the_time_of_day() -> None:
    """aiortc times packets by it: set ahead by a night it held everybody up, by ten days no connection ended again."""
    aiortc.rate.RateCounter = _PatientRateCounter
    aiortc.clock.current_ms = lambda: time.monotonic_ns() // 1_000_000
    aiortc.rtcrtpreceiver.time = SimpleNamespace(time=time.monotonic)


def mend_aiortc() -> None:
    """All of the above, for whoever makes connections: worker, studio and stage."""
    measure_without_the_time_of_day()
    bound_video_bitrates()
    offer_loopback_candidate()
    receive_promptly()


async def ask_again(receiver: RTCRtpReceiver) -> None:
    """Asks once more for packets that are still missing (NACK); aiortc does so only when it misses yet another one."""
    missing = sorted(receiver._RTCRtpReceiver__nack_generator.missing)
    resent = receiver._RTCRtpReceiver__rtx_ssrc  # streams of packets sent again: those have numbers of their own
    for ssrc in list(receiver._RTCRtpReceiver__remote_streams):
        if missing and ssrc not in resent:
            await receiver._send_rtcp_nack(ssrc, missing)


def send_whole(sender: RTCRtpSender) -> None:
    """The next picture is sent whole, as if the other side had asked for it (PLI): Chromium waits three seconds."""
    sender._send_keyframe()


async def begin_anew(receiver: RTCRtpReceiver) -> None:
    """Gives up what is missing and asks for a whole picture: aiortc would wait for it until 512 packets lie behind."""
    buffer = receiver._RTCRtpReceiver__jitter_buffer
    if buffer._origin is not None:
        buffer.remove(buffer.capacity)
        buffer._origin = None
    receiver._RTCRtpReceiver__nack_generator.missing.clear()
    await request_keyframe(receiver)
