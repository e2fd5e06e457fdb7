"""The stage's doors: who may play, what is refused and how, what every page is told."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stylizer.controls import CONTROLS
from stylizer.errors import BadInput, NoCapacity, StylizerError
from stylizer.frame import Frame
from stylizer.vj.outputs.broadcast import Broadcast
from tests.conftest import Rng
from tests.web.doubles import wait_for
from tests.web.stages import KEY, Staged, pict, staged
from web.messages import parsed
from web.rtc.threads import FRAME_THREADS, SLOW_THREADS
from web.vj.messages import TYPES, carry_out
from web.vj.viewers import MAX_VIEWERS, Audience

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    with staged(tmp_path_factory.mktemp("show")) as running:
        yield running


def _client(show: Staged, **headers: str) -> httpx.Client:
    own = {"Origin": show.base, "Authorization": f"Bearer {KEY}"}
    return httpx.Client(base_url=show.base, headers={**own, **headers}, timeout=20)


def test_two_pages_and_a_knob_are_told_the_same_and_the_last_writer_wins(show: Staged) -> None:
    with show.socket() as one, show.socket() as two:
        table = one.until("welcome")["table"]
        assert isinstance(table, list) and {"crossfade", "rate", "zoom"} <= {row["name"] for row in table}
        one.send(type="set", changes={"crossfade": 0.25, "fold": "quad"})
        assert two.until_controls(crossfade=0.25)["fold"] == "quad"
        two.send(type="set", changes={"crossfade": 0.75})
        for page in (one, two):
            page.until_controls(crossfade=0.75, fold="quad")
        one.send(type="learn", control="hue")
        two.until("wiring", learning="hue")
        show.show.turned("cc:0:7", 1.0)
        wiring = two.until("wiring", learning=None)
        assert wiring["knobs"] == {"hue": ["cc:0:7"]}, wiring
        for page in (one, two):
            page.until_controls(hue=0.5)
        midi = {"devices": ["Test knobs"], "address": "cc:0:7", "position": 1.0, "count": 1}
        assert one.until("meters", midi=midi)["pages"] == 2
        one.send(type="forget", control="hue")
        two.until("wiring", knobs={})
        one.send(type="key", key="u")
        two.until_controls(hue=0.0)


def test_presets_tempo_keys_and_sound_are_played(show: Staged) -> None:
    with show.socket() as page:
        page.send(type="tempo", bpm=300)
        page.until("meters", bpm=300)
        page.until("meters", loop="torch and OpenVINO on the CPU", loop_why="")
        page.send(type="preset", name="wild", beats=2)
        page.until("meters", morphing=True)
        page.until_controls(rate=1.5, model_a="two", hue=0.25)
        page.send(type="key", key="f")
        page.until_controls(freeze=True)
        page.send(type="key", key="f")
        page.until_controls(freeze=False)
        page.send(type="follow", control="zoom", source="low", gain=0.05)
        page.until("wiring", follows={"zoom": {"source": "low", "gain": 0.05}})
        page.send(type="follow", control="zoom", source=None)
        page.until("wiring", follows={})
        page.send(type="key", key="r")
        film = str(page.until("meters", recording=True)["film"])
        page.send(type="key", key="r")
        page.until("meters", recording=False, film=film)
        assert Path(film).is_absolute() and film.endswith(".mp4")
        page.send(type="preset", name="calm")
        page.until_controls(rate=1.0, hue=0.0)


def test_a_page_whose_change_is_refused_is_told_how_the_controls_stand(show: Staged) -> None:
    """It went on showing the model that it had asked for."""
    with show.socket() as page:
        page.until("controls")
        page.send(type="set", changes={"model_a": "nobody"})
        page.until("error")
        assert "controls" in {page.read()["type"] for _ in range(20)}


def test_a_knob_is_not_learned_by_a_page_that_is_gone(show: Staged) -> None:
    """The next knob that was touched in the show turned what the page had asked for."""
    with show.socket() as page:
        page.send(type="learn", control="invert")
        page.until("wiring", learning="invert")
    wait_for(lambda: show.mapper.learning is None, 10)
    show.show.turned("cc:0:33", 1.0)
    assert show.session.controls["invert"] == 0.0


def test_the_shelf_fills_with_pictures_of_models_and_presets(show: Staged) -> None:
    with show.socket() as page:
        while True:
            presets = page.until("shelf")["presets"]
            assert isinstance(presets, list)
            if all(preset["picture"] for preset in presets):
                break
        with _client(show) as http:
            answer = http.get("/v1/stage/thumbnails/preset/calm")
            assert answer.headers["content-type"] == "image/jpeg" and answer.content[:3] == b"\xff\xd8\xff"
            assert http.get("/v1/stage/thumbnails/preset/nobody").status_code == 404


def test_a_model_that_a_preset_names_by_its_path_has_its_picture(show: Staged, tmp_path: Path) -> None:
    (tmp_path / "mine.pict").write_bytes(pict())
    model = show.session.bank.get(str(tmp_path / "mine.pict"))
    address = f"/v1/stage/thumbnails/model/{quote(model.name, safe='')}"  # as the page writes it
    with show.socket(), _client(show) as http:
        wait_for(lambda: http.get(address).status_code == 200, 20)
    show.session.bank.remove(model.name)


@pytest.mark.parametrize(
    "message, words",
    [
        ({"type": "set", "changes": {"rate": 7}}, "rate: got 7, allowed is 0 to 2"),
        ({"type": "set", "changes": {"seed": 1}}, "seed is no control of the VJ instrument"),
        ({"type": "set", "changes": {"model_a": "/etc/passwd.pict"}}, "no model is called '/etc/passwd.pict'"),
        ({"type": "set", "changes": 3}, "changes: got 3"),
        ({"type": "preset", "name": "none"}, "no preset is called 'none'; there are calm, wild"),
        ({"type": "preset", "name": "calm", "beats": 1e9}, "beats: got 1000000000.0, allowed is 0 to 64"),
        ({"type": "key", "key": "q"}, "key: got 'q'"),
        ({"type": "tempo", "bpm": "fast"}, "bpm: got 'fast', allowed is 30 to 300"),
        ({"type": "tempo", "bpm": 10**400}, "bpm: got 1000"),  # no float holds it
        ({"type": "learn", "control": "style"}, "no control of the show is called 'style'"),
        ({"type": "follow", "control": "zoom", "source": "smell"}, "source: got 'smell', allowed is level"),
        ({"type": "follow", "control": "fold", "source": "low", "gain": 0}, "only number controls"),
        ({"type": "dance"}, "type: got 'dance', allowed is set"),
        ({"type": "set", "changes": {"x" * 5000: 1}}, "message: 5035 bytes, at most 4096 are allowed"),
    ],
)
def test_a_bad_message_is_refused_in_words_and_the_page_stays(
    show: Staged, message: dict[str, object], words: str
) -> None:
    before = show.session.controls
    with show.socket() as page:
        page.send(**message)
        assert words in str(page.until("error")["message"])
        page.line.send("[1]")
        assert page.until("error")["message"] == "message: allowed is a JSON object with a type"
        page.until("meters")
    assert show.session.controls == before


NAMES = st.sampled_from([*CONTROLS, "calm", "wild", "low", "one", "two", "f", "", "nobody"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=20) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=9), inner, max_size=4),
    max_leaves=6,
)
FIELDS = st.sampled_from(["changes", "name", "beats", "key", "bpm", "control", "source", "gain", "stream"])
MESSAGES = st.builds(
    lambda kind, fields: {"type": kind, **fields},
    st.sampled_from(TYPES) | VALUES,
    st.dictionaries(FIELDS, VALUES, max_size=4),
)


def test_whatever_a_page_says_is_done_or_refused_in_words_and_the_show_goes_on(tmp_path: Path) -> None:
    with staged(tmp_path) as show:
        audience = Audience(show.session, Broadcast())

        @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(text=MESSAGES.map(json.dumps) | st.text(max_size=60))
        def answers(text: str) -> None:
            with contextlib.suppress(StylizerError):
                carry_out(show.stage, audience, parsed(text))
            json.dumps([show.stage.controls(), show.stage.wiring(), show.stage.meters()])

        answers()
        show.session.apply({"freeze": False})
        before = show.session.frames
        wait_for(lambda: show.session.frames > before + 3, 20)


def test_a_flood_is_slowed_and_told_so(show: Staged) -> None:
    with show.socket() as page:
        for step in range(600):
            page.send(type="set", changes={"invert": step % 2})
        assert "messages a second" in str(page.until("error")["message"])
        page.until("meters")
        show.session.apply({"invert": 0.0})


def test_without_the_key_or_from_a_foreign_page_nobody_plays(show: Staged) -> None:
    with show.socket(key="\ud800") as page:
        assert page.until("error")["code"] == "wrong_token"
    with show.socket(key="guess") as page:
        assert page.until("error")["code"] == "wrong_token"
        with pytest.raises(ConnectionClosed) as closed:
            page.read()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
    with show.socket(key=None) as page:
        page.send(type="set", changes={"rate": 0})
        assert page.until("error")["code"] == "wrong_token"
    with pytest.raises(InvalidStatus) as refused, show.socket(origin="http://evil.example"):
        pass
    assert refused.value.response.status_code == 403
    with _client(show, Authorization="Bearer guess") as http:
        assert http.post("/v1/stage/slots/a?name=x.pict", content=pict()).status_code == 401
    with _client(show, Origin="http://evil.example") as http:
        assert http.post("/v1/stage/slots/a?name=x.pict", content=pict()).status_code == 403
        assert http.post("/v1/streams", json={}).status_code == 403
    assert show.session.controls["rate"] != 0


def test_a_dropped_model_plays_and_a_bad_one_is_refused(show: Staged) -> None:
    with _client(show) as http:
        for taken in ("new one.pict", "new one-2.pict"):
            answer = http.post("/v1/stage/slots/b", params={"name": "../new one.pict"}, content=pict())
            assert (answer.status_code, answer.json()) == (200, {"model": taken})
        assert show.session.controls["model_b"] == "new one-2.pict"
        for content, name, status, words in (
            (pict()[:-5], "short.pict", 415, "short.pict: the weights claims"),
            (b"", "none.pict", 422, "file: it is empty"),
            (b"\x7fffff" + bytes(100), "huge.pict", 415, "huge.pict: the tensor list claims"),
            (pict(), "model.pkl", 422, "only .pict files"),
            (bytes(65 << 20), "fat.pict", 413, "file: more than 64 MiB"),
        ):
            answer = http.post("/v1/stage/slots/b", params={"name": name}, content=content)
            assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text
        assert http.post("/v1/stage/slots/c?name=x.pict", content=pict()).status_code == 404
        for count in range(8):
            assert http.post(f"/v1/stage/slots/a?name=many{count}.pict", content=pict(count)).status_code == 200
        guests = [name for name in show.stage.bank.names if name.endswith(".pict")]
        assert len(guests) == 6 and {"many7.pict", "new one-2.pict"} <= set(guests), "the oldest go, who plays stays"
        again = http.post("/v1/stage/slots/a?name=many0.pict", content=pict())
        assert again.json() == {"model": "many0-2.pict"}, "another model's thumbnail has the name of the one that went"


async def _look(
    show: Staged, controls: dict[str, str], pictures: int, then: Callable[[], None] = lambda: None
) -> list[tuple[int, ...]]:
    """Shapes of the pictures that an output without a browser receives; `then` is done after the first."""
    shapes: list[tuple[int, ...]] = []
    beats: list[asyncio.Task[None]] = []
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(base_url=show.base, headers={"Origin": show.base}, timeout=20) as http,
    ):
        stream = (await http.post("/v1/streams", json={"controls": controls})).json()
        http.headers["Authorization"] = f"Bearer {stream['token']}"
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTransceiver("video", direction="recvonly")
        channel = peer.createDataChannel("controls")
        channel.on("open", lambda: beats.append(asyncio.ensure_future(_beat(channel))))
        tracks: asyncio.Queue[object] = asyncio.Queue()
        peer.on("track", tracks.put_nowait)
        await peer.setLocalDescription(await peer.createOffer())
        answer = await http.post(f"/v1/streams/{stream['id']}/offer", json={"sdp": peer.localDescription.sdp})
        await peer.setRemoteDescription(RTCSessionDescription(sdp=answer.json()["sdp"], type="answer"))
        track = await tracks.get()
        seen = b""
        while len(shapes) < pictures:
            pixels = (await track.recv()).to_ndarray(format="rgb24")  # type: ignore[attr-defined]
            if pixels.tobytes() != seen:  # moving pictures: each another one
                shapes.append(pixels.shape)
                if len(shapes) == 1:
                    await asyncio.to_thread(then)
                seen = pixels.tobytes()
        stats = (await http.get(f"/v1/streams/{stream['id']}/stats")).json()
        assert stats["frames_out"] >= pictures and stats["latency_ms"]["p50"] > 0
        assert (await http.delete(f"/v1/streams/{stream['id']}")).status_code == 204
        for task in beats:
            task.cancel()
        await peer.close()
    return shapes


async def _beat(channel: RTCDataChannel) -> None:
    """This page is alive."""
    while True:
        channel.send('{"type": "beat"}')
        await asyncio.sleep(0.05)


def test_an_output_receives_moving_pictures_in_the_shows_size_and_a_preview_in_its_own(show: Staged) -> None:
    async def both() -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        full, small = await asyncio.gather(_look(show, {}, 6), _look(show, {"output_size": "256"}, 6))
        return full, small

    show.session.apply({"output_size": "512", "noise_2": 0.3})
    full, small = asyncio.run(both())
    assert (512, 512, 3) in full and small == [(256, 256, 3)] * 6


def test_messages_that_take_long_do_not_hold_up_the_picture(show: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many pages as there are threads, each with a message that is not carried out before the pictures have come."""
    done, waiting = threading.Event(), [0]

    def slow(bpm: object) -> None:
        waiting[0] += 1
        assert done.wait(60)

    def keep_busy() -> None:
        for page in pages:
            page.send(type="tempo", bpm=120)
        wait_for(lambda: waiting[0] >= SLOW_THREADS, 20)

    monkeypatch.setattr(show.stage, "set_tempo", slow)
    with contextlib.ExitStack() as opened:
        pages = [opened.enter_context(show.socket()) for _ in range(FRAME_THREADS + SLOW_THREADS)]
        try:
            assert len(asyncio.run(_look(show, {"output_size": "256"}, 6, keep_busy))) == 6
        finally:
            done.set()


def test_viewers_share_pictures_but_no_place_is_given_twice(rng: Rng, show: Staged) -> None:
    broadcast, now = Broadcast(lambda: now[0]), [0.0]
    audience = Audience(show.session, broadcast, clock=lambda: now[0])
    viewers = [audience.join({"output_size": "256"}) for _ in range(MAX_VIEWERS)]
    with pytest.raises(NoCapacity, match="8 pages look"):
        audience.join()
    with pytest.raises(BadInput, match="rate: an output takes output_size only"):
        audience.join({"rate": 1})
    pictures = [rng.pixels_u8(256, 256, 3) for _ in range(3)]
    for picture in pictures:
        now[0] += 0.1
        assert broadcast.show(picture) == ""
    for viewer in viewers:
        frame = viewer.take()
        assert frame is not None and np.array_equal(frame.pixels, pictures[-1]), "the newest, not the oldest"
        assert viewer.take() is None
        assert viewer.stats().dropped == 2
    for viewer in viewers:
        viewer.leave()
    broadcast.show(pictures[0])
    assert viewers[0].take() is None
    audience.join()


def test_only_the_page_that_the_stage_lets_in_sends_its_camera(rng: Rng, show: Staged) -> None:
    broadcast = Broadcast()
    audience = Audience(show.session, broadcast)
    one, two = audience.join(), audience.join()
    frame = Frame(rng.pixels_u8(48, 64, 3), 0)
    show.session.offer(None)
    one.offer(frame)
    assert show.session.guest_pixels is None, "nobody has let it in"
    audience.let_send(two.id)
    one.offer(frame)
    assert show.session.guest_pixels is None
    two.offer(frame)
    assert show.session.guest_pixels is frame.pixels
    two.leave()
    assert show.session.guest_pixels is None


def test_a_pages_camera_takes_the_films_place_and_gives_it_back(rng: Rng, show: Staged) -> None:
    """Both came in turn, frame by frame."""
    audience = Audience(show.session, Broadcast())
    page, frame, film = audience.join(), Frame(rng.pixels_u8(48, 64, 3), 0), rng.pixels_u8(8, 8, 3)
    show.session.offer(film)
    audience.let_send(page.id)
    page.offer(frame)
    show.session.offer(film)
    assert show.session.guest_pixels is frame.pixels
    page.leave()
    assert show.session.guest_pixels is film
    show.session.offer(None)


def test_a_page_that_reads_nothing_does_not_hold_the_others_up(show: Staged) -> None:
    with show.socket() as sleeper, show.socket() as page:
        sleeper.until("meters")
        for step in range(60):
            page.send(type="set", changes={"hue": step / 200})
        page.until_controls(hue=59 / 200)
        sleeper.until_controls(hue=59 / 200)
    wait_for(lambda: show.session.controls["hue"] == 59 / 200, 5)
