"""The parts between aiortc and a live session, one by one, with tracks of scripted trouble."""

import asyncio
import errno
import json
import time
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import pytest
from aiortc import rtcrtpreceiver
from aiortc.codecs import get_encoder
from aiortc.codecs import h264 as aiortc_h264
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket
from av import VideoFrame
from hypothesis import HealthCheck, given, settings, strategies
from numpy.typing import NDArray

from stylizer.controls import Value
from stylizer.frame import VIDEO_CLOCK, Frame
from stylizer.live import Worker
from tests.web.doubles import ScriptedTrack
from web import compat
from web.messages import MAX_MESSAGE_BYTES
from web.rtc import output
from web.rtc.intake import Intake, fit
from web.rtc.messages import answer
from web.rtc.output import ResultTrack
from web.rtc.slot import Slot


class Taker:
    """A session that keeps what is offered."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def offer(self, frame: Frame) -> None:
        self.frames.append(frame)


class PatientTrack(ScriptedTrack):
    """Sends a picture when those before it have been dealt with: a slow machine drops none."""

    def __init__(self, sizes: Sequence[tuple[int, int]], done: Callable[[], int]) -> None:
        super().__init__(sizes, every_s=0, linger_s=20)
        self._total, self._done = len(sizes), done

    async def recv(self) -> VideoFrame:
        while self._done() < self._total - len(self.sizes):
            await asyncio.sleep(0.001)
        return await super().recv()


def _take_in(sizes: Sequence[tuple[int, int]], clock: "list[float] | None" = None) -> tuple[Taker, Intake]:
    taker = Taker()
    intake = Intake(taker, 0.0, (lambda: clock.pop(0)) if clock else time.monotonic)

    def done() -> int:
        return len(taker.frames) + intake.refused

    async def run() -> None:
        running = asyncio.create_task(intake.run(PatientTrack(sizes, done)))
        async with asyncio.timeout(20):
            while done() < len(sizes):
                await asyncio.sleep(0.001)
        running.cancel()

    asyncio.run(run())
    return taker, intake


def test_a_slot_keeps_the_newest_and_counts_the_others() -> None:
    async def run() -> None:
        slot: Slot[int] = Slot()
        for value in (1, 2, 3):
            slot.put(value)
        assert (await slot.get(), slot.dropped) == (3, 2)

    asyncio.run(run())


@pytest.mark.parametrize(
    "size, fitted",
    [
        ((1280, 720), (640, 360)),
        ((320, 240), (640, 480)),
        ((481, 640), (480, 640)),
        ((1, 1000), (2, 640)),
        ((7, 7), (640, 640)),
    ],
)
def test_every_size_is_brought_to_one_long_side_with_even_sides(size: tuple[int, int], fitted: tuple[int, int]) -> None:
    assert fit(*size, 640) == fitted


def test_a_picture_made_smaller_by_the_sender_arrives_at_the_old_size() -> None:
    taker, intake = _take_in([(640, 480)] * 3 + [(320, 240)] * 3 + [(160, 120)] * 3)
    assert {frame.size for frame in taker.frames} == {(640, 480)} and intake.refused == 0


def test_a_sender_that_flaps_between_shapes_is_held_to_one() -> None:
    taker, intake = _take_in([(640, 480), (480, 640)] * 6)
    assert {frame.size for frame in taker.frames} == {(640, 480)} and intake.refused >= 4


def test_a_phone_that_is_turned_changes_the_shape_after_a_second() -> None:
    clock = [0.1, 0.5, 1.2]
    taker, _ = _take_in([(640, 480), (480, 640), (480, 640)], clock)
    assert [frame.size for frame in taker.frames] == [(640, 480), (480, 640)]


def test_frames_beyond_the_cap_are_refused_unseen() -> None:
    taker, intake = _take_in([(7680, 4320), (64, 64)])
    assert [frame.size for frame in taker.frames] == [(640, 640)] and intake.refused == 1


def test_time_counts_from_the_streams_start_as_the_camera_spaced_it() -> None:
    taker, _ = _take_in([(64, 64)] * 4, [2.0, 2.05, 2.06, 2.2])
    pts = [frame.pts for frame in taker.frames]
    assert pts[0] == pytest.approx(2 * 90_000, abs=1)
    assert np.diff(pts).tolist() == [3000] * 3
    assert taker.frames[0].captured_at == 2.0


def test_results_go_out_once_each_with_growing_pts(started: Worker) -> None:
    session = started.join()

    async def run() -> list[int]:
        track = ResultTrack(session)
        sent: list[int] = []
        for index in range(5):
            pts = (1000, 900, 900, 5000, 6000)[index]  # a camera's clock that stumbles
            session.offer(Frame(np.zeros((8, 8, 3), np.uint8), pts))
            sent.append((await asyncio.wait_for(track.recv(), 1)).pts)
        assert track.unique == 5
        track.stop()
        assert session.on_result is None
        with pytest.raises(MediaStreamError):
            await track.recv()
        return sent

    assert asyncio.run(run()) == [1000, 1001, 1002, 5000, 6000]


def test_the_last_result_is_repeated_once_a_second_while_nothing_comes(started: Worker) -> None:
    session = started.join()

    async def run() -> None:
        track = ResultTrack(session)
        session.offer(Frame(np.zeros((8, 8, 3), np.uint8), 1000))
        first = (await track.recv()).pts
        began = time.monotonic()
        again = await track.recv()
        assert 0.9 < time.monotonic() - began < 1.5
        assert again.pts - first == pytest.approx(90_000, rel=0.3) and track.unique == 1

    asyncio.run(run())


def test_a_picture_that_stays_for_three_seconds_gives_way_to_a_card(
    started: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline hangs, or the camera does: nobody takes a still for the show."""
    monkeypatch.setattr(output, "KEEP_ALIVE_S", 0.02)
    session, now_s = started.join(), [100.0]
    noise = np.random.default_rng(4).integers(0, 256, (48, 64, 3), np.uint8)

    async def run() -> None:
        track = ResultTrack(session, lambda: now_s[0])
        session.offer(Frame(noise, 1000))
        first = (await track.recv()).to_ndarray(format="rgb24")
        now_s[0] = 102.9
        assert ((await track.recv()).to_ndarray(format="rgb24") == first).all()
        now_s[0] = 103.0
        card = await track.recv()
        assert (card.width, card.height) == (64, 48) and card.pts > 1000
        spread = card.to_ndarray(format="rgb24").std(axis=(0, 1)).max()
        assert spread < 2 < first.std(), "one colour, nothing of the picture"
        session.offer(Frame(noise, 400_000))
        while ((again := await track.recv()).to_ndarray(format="rgb24") != first).any():
            now_s[0] += 0.001
        assert again.pts >= 400_000

    asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264"])
@pytest.mark.parametrize(
    "size, bitrate", [((480, 360), 480 * 360 * compat.BITS_PER_PIXEL), ((1280, 720), compat.MAX_BITRATE)]
)
def test_encoders_start_and_end_at_our_rates_whatever_the_browser_asks(
    codec: str, size: tuple[int, int], bitrate: int
) -> None:
    compat.bound_video_bitrates()
    made = get_encoder(RTCRtpCodecParameters(mimeType=codec, clockRate=90_000, payloadType=97))
    assert made.target_bitrate == compat.START_BITRATE
    made.target_bitrate = 10**9
    frame = VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), format="rgb24")
    frame.pts, frame.time_base = 0, VIDEO_CLOCK
    made.encode(frame)
    assert made.codec.bit_rate == pytest.approx(bitrate, rel=1e-3)  # x264 counts in thousands


def test_h264_is_encoded_with_settings_for_live_pictures() -> None:
    """Half of aiortc's own time is enough; a whole picture comes when it is asked for, and when size or rate change."""
    compat.bound_video_bitrates()
    ours, theirs = compat._CappedH264(), aiortc_h264.H264Encoder()
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (512, 600, 3), np.uint8), (0, 0), 4)
    seconds = []
    for encoder in (ours, theirs):
        began = time.process_time()
        for i in range(40):
            encoder.encode(_moved(scene, i))
        seconds.append(time.process_time() - began)
    assert seconds[0] < 0.5 * seconds[1]
    small, whole = (sum(map(len, ours.encode(_moved(scene, 41 + k), bool(k))[0])) for k in (0, 1))
    assert whole > 3 * small
    before = ours.codec
    ours.encode(_moved(scene, 43))
    assert ours.codec is before
    ours.target_bitrate = ours.target_bitrate // 2
    ours.encode(_moved(scene, 44))
    assert ours.codec is not None and ours.codec is not before
    assert ours.codec.bit_rate == pytest.approx(ours.target_bitrate, rel=1e-3)


def _moved(scene: NDArray[np.uint8], step: int) -> VideoFrame:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(scene[:, step : step + 512]), format="rgb24")
    frame.pts, frame.time_base = 3000 * step, VIDEO_CLOCK
    return frame


@pytest.mark.parametrize("prompt, with_packet", [(True, 3), (False, 4)])
def test_a_picture_is_complete_with_its_last_packet(prompt: bool, with_packet: int) -> None:
    """aiortc's own buffer waits for the first packet of the next picture."""
    compat.receive_promptly()
    buffer = (rtcrtpreceiver.JitterBuffer if prompt else JitterBuffer)(capacity=16, is_video=True)
    for number in range(1, 7):
        packet = RtpPacket(sequence_number=number, timestamp=3000 * ((number - 1) // 3), marker=number % 3 == 0)
        packet._data = bytes([number])
        if (frame := buffer.add(packet)[1]) is not None:
            break
    assert frame is not None and (frame.data, number) == (b"\1\2\3", with_packet)


@pytest.mark.parametrize("given_up", [False, True], ids=["behind the newest", "the first after all was given up"])
def test_a_packet_that_comes_too_late_changes_nothing(given_up: bool) -> None:
    """aiortc's own buffer would go back to it and wait there; and its mapper takes the earlier time for 13 h later."""
    compat.receive_promptly()
    buffer = rtcrtpreceiver.JitterBuffer(capacity=512, is_video=True)
    mapper = rtcrtpreceiver.TimestampMapper()

    def times_s(numbers: Sequence[int]) -> list[float]:
        """Of the pictures that are whole with these packets, each a picture."""
        times = []
        for number in numbers:
            packet = RtpPacket(sequence_number=number % 2**16, timestamp=3000 * number, marker=True)
            packet._data = b"x"
            if (frame := buffer.add(packet)[1]) is not None:
                times.append(mapper.map(frame.timestamp) / 90_000)
        return times

    start = 2**16 - 100  # numbers begin again at 0 in between
    assert len(times_s(range(start, start + 200))) == 200
    if given_up:
        buffer.remove(buffer.capacity)
        buffer._origin = None
    late, after = times_s([start + 60]), times_s(range(start + 200, start + 210))
    assert late == [] and after == pytest.approx([step / 30 for step in range(200, 210)])
    assert len(times_s(range(5000, 5010))) == 10, "a sender that begins elsewhere is followed"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    strategies.one_of(
        strategies.text(max_size=80),
        strategies.binary(max_size=80),
        strategies.recursive(
            strategies.none() | strategies.booleans() | strategies.floats() | strategies.text(max_size=5),
            lambda inner: strategies.dictionaries(
                strategies.sampled_from(["type", "seq", "changes", "seed", "set", "style"])
                | strategies.text(max_size=4),
                inner | strategies.sampled_from(["set", "beat"]),
                max_size=4,
            ),
            max_leaves=8,
        ).map(json.dumps),
    )
)
def test_any_message_is_answered_and_none_breaks_the_session(started: Worker, message: str | bytes) -> None:
    session = started.join()
    try:
        reply = answer(session, message)
        assert reply is None or json.loads(reply)["type"] in ("controls", "error")
    finally:
        session.leave()


def test_a_message_beyond_the_limit_is_refused_unread(started: Worker) -> None:
    reply = answer(started.join(), json.dumps({"type": "beat", "pad": "x" * MAX_MESSAGE_BYTES}))
    assert reply is not None and "at most" in json.loads(reply)["message"]


def test_a_message_that_fails_in_an_unforeseen_way_is_answered_too(started: Worker) -> None:
    """Whoever reads the channel would end with it, and no later message of this visitor be heard."""

    def full(changes: Mapping[str, object]) -> dict[str, Value]:
        raise OSError(errno.ENOSPC, "No space left on device")

    session = started.join()
    started.pipeline.checked = full  # type: ignore[method-assign]
    reply = answer(session, json.dumps({"type": "set", "changes": {"style": "red"}, "seq": 4}))
    assert reply is not None
    told = json.loads(reply)
    assert (told["type"], told["code"], told["seq"]) == ("error", "unavailable", 4)
