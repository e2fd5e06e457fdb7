"""The studio's way to a live session: its clip, its camera, and who ends them."""

import asyncio
from pathlib import Path

import av
import numpy as np
import pytest
from av import VideoFrame

from stylizer.live import Worker
from tests.web.doubles import PaintedTrack, ScriptedTrack, wait_for
from web.studio import bridge as bridge_module
from web.studio.bridge import Bridge, CameraSink, play_clip


def _clip(folder: Path) -> Path:
    clip = folder / "clip.mp4"
    with av.open(str(clip), "w") as film:
        stream = film.add_stream("mpeg4", rate=40)
        stream.width = stream.height = 64
        for index in range(8):  # a fifth of a second
            film.mux(stream.encode(VideoFrame.from_ndarray(np.full((64, 64, 3), index * 20, np.uint8), format="rgb24")))
        film.mux(stream.encode(None))
    return clip


def test_the_studios_clip_plays_round_and_round_on_one_clock(started: Worker, tmp_path: Path) -> None:
    bridge = Bridge(started.join(), lambda: True)
    play_clip(bridge, _clip(tmp_path))

    async def run() -> list[int]:
        return [(await asyncio.wait_for(bridge.results.recv(), 2)).pts for _ in range(20)]

    pts = asyncio.run(run())
    assert pts[-1] / 90_000 == pytest.approx(19 / 40, abs=0.15), "two and a half rounds, in real time"
    assert all(later > earlier for earlier, later in zip(pts, pts[1:], strict=False))
    bridge.close()
    assert started.visitors == 0


def test_a_studio_camera_that_ends_frees_the_place(started: Worker) -> None:
    bridge = Bridge(started.join(), lambda: True)

    async def run() -> None:
        sink = CameraSink(bridge)
        sink.addTrack(ScriptedTrack([(64, 48)] * 5))
        assert sink.hasTrack()
        sink.start()
        assert (await asyncio.wait_for(bridge.results.recv(), 2)).width == 640
        await asyncio.to_thread(wait_for, bridge.closed.is_set, 3)

    asyncio.run(run())
    assert started.visitors == 0


def test_a_studio_page_that_is_gone_frees_the_place_and_a_slow_one_keeps_it(
    started: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, "LOOK_S", 0.02)
    monkeypatch.setattr(bridge_module, "ABSENT_S", 0.1)
    slow, gone = Bridge(started.join(), lambda: True), Bridge(started.join(), lambda: False)
    wait_for(gone.closed.is_set, 5)
    assert started.visitors == 1 and not slow.closed.is_set(), "no picture came, yet its page is there"
    slow.close()


def test_a_studio_stream_that_no_browser_takes_is_given_up_after_its_time(
    started: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, "LOOK_S", 0.02)
    bridge = Bridge(started.join(), lambda: True)
    play_clip(bridge, _clip(tmp_path), connect_s=0.2)
    wait_for(bridge.closed.is_set, 5)
    assert started.visitors == 0


def test_a_studio_camera_without_a_picture_is_given_up_after_its_time(
    started: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, "LOOK_S", 0.02)
    bridge = Bridge(started.join(), lambda: True)

    async def run() -> None:
        sink = CameraSink(bridge, connect_s=0.1)
        silent = PaintedTrack((9, 9, 9))
        silent.silent.set()
        sink.addTrack(silent)
        sink.start()
        await asyncio.to_thread(wait_for, bridge.closed.is_set, 5)

    asyncio.run(run())
    assert started.visitors == 0
