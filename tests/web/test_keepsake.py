"""What visitors take home: made only when asked for, six seconds, deleted by itself."""

import asyncio
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from stylizer.config import Settings
from stylizer.errors import NotFound, Unavailable
from stylizer.frame import VIDEO_CLOCK, Frame, PixelsU8
from stylizer.live import LiveSession, Worker
from stylizer.media import Reader
from tests.web.doubles import ColourPipeline, Running, running, wait_for
from web.api.app import create_app
from web.api.keepsakes import part_of
from web.keepsake import KEEP_S, Keepsake, Shelf, record
from web.memory_film import MemoryFilm

SMALL = Keepsake(b"clip" * 5, b"still")


@pytest.fixture
def worker() -> Iterator[Worker]:
    opened = Worker(ColourPipeline(), 2)
    opened.start()
    yield opened
    opened.stop()


class Walker:
    """Offers a frame every 20 ms whose time runs `speed` times as fast, until the `with` ends."""

    def __init__(self, session: LiveSession, speed: float) -> None:
        self._session, self._speed, self._ended = session, speed, threading.Event()
        self._thread = threading.Thread(target=self._walk)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *fault: object) -> None:
        self._ended.set()
        self._thread.join()

    def _walk(self) -> None:
        pixels, begin = np.zeros((240, 321, 3), np.uint8), time.monotonic()
        while not self._ended.wait(0.02):
            pixels = np.roll(pixels + 1, 1)
            pts = int((time.monotonic() - begin) * self._speed / VIDEO_CLOCK)
            self._session.offer(Frame(pixels, pts, VIDEO_CLOCK))


def test_six_seconds_and_a_still_are_recorded(worker: Worker) -> None:
    session = worker.join()
    with Walker(session, speed=8):
        keepsake = record(session)
    with av.open(io.BytesIO(keepsake.clip)) as film:
        video = film.streams.video[0]
        times = [float(frame.time) for frame in film.decode(video)]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 320, 240)
    assert times[0] == 0 and 6 <= times[-1] < 7.5 and times == sorted(times)
    still = Image.open(io.BytesIO(keepsake.still))
    assert still.format == "JPEG" and still.size == (321, 240)


@pytest.mark.parametrize("size", [(1280, 720), (512, 512)])
def test_a_clip_keeps_its_colours_in_any_player(size: tuple[int, int], tmp_path: Path) -> None:
    """Of one that does not say whose colours it has players guess by its size."""
    green = np.full((*size[::-1], 3), (32, 192, 64), np.uint8)
    with MemoryFilm() as clip:
        clip.add(Frame(green, 0))
    (tmp_path / "clip.mp4").write_bytes(clip.content)
    with Reader(tmp_path / "clip.mp4") as film:
        assert next(iter(film)).pixels[9, 9] == pytest.approx((32, 192, 64), abs=5)


def test_nobody_is_squashed_in_a_clip_when_the_phone_is_turned() -> None:
    def with_a_square(width: int, height: int) -> PixelsU8:
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[height // 2 - 60 : height // 2 + 60, width // 2 - 60 : width // 2 + 60] = 255
        return pixels

    with MemoryFilm() as clip:
        for second, size in enumerate([(480, 640), (640, 480), (640, 640)]):
            clip.add(Frame(with_a_square(*size), second * 90_000, VIDEO_CLOCK))
    with av.open(io.BytesIO(clip.content)) as film:
        for frame in film.decode(video=0):
            white = frame.to_ndarray(format="gray") > 128
            across, down = (np.flatnonzero(white.any(axis)).size for axis in (0, 1))
            assert (frame.width, frame.height) == (480, 640) and abs(across - down) <= 2


def test_nothing_is_watched_before_and_after(worker: Worker) -> None:
    session = worker.join()
    with Walker(session, speed=40):
        assert session._watchers == ()
        record(session, 1.0)
        assert session._watchers == ()


def test_of_a_place_where_nobody_stands_no_clip_is_made() -> None:
    pipeline = ColourPipeline()
    pipeline.nobody = True
    empty = Worker(pipeline, 1)
    empty.start()
    session = empty.join()
    with Walker(session, speed=40), pytest.raises(Unavailable, match="stand in view"):
        record(session, 1.0)
    empty.stop()


def test_of_a_visitor_who_left_nothing_is_kept(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.keepsake.SILENCE_S", 0.2)
    session = worker.join()
    with Walker(session, speed=40):
        wait_for(lambda: session.stats().frames_out > 1, 5)
        threading.Timer(0.05, session.leave).start()
        with pytest.raises(Unavailable, match="left|no drawing"):
            record(session, 1000.0)


def test_pictures_whose_time_stands_still_do_not_occupy_the_recorder(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.keepsake.LONGEST_S", 0.5)
    session = worker.join()
    with Walker(session, speed=0.001), pytest.raises(Unavailable, match="no drawing"):
        record(session)


def test_a_keepsake_is_gone_when_its_time_is_over() -> None:
    async def scene() -> None:
        shelf = Shelf(keep_s=0.3)
        name = shelf.put(SMALL)
        assert shelf.get(name)[0] is SMALL and len(name) >= 24
        begin = time.monotonic()
        while len(shelf):  # nobody asks for it: it goes by itself
            assert time.monotonic() - begin < 10
            await asyncio.sleep(0.02)
        assert time.monotonic() - begin >= 0.25
        with pytest.raises(NotFound, match="ten minutes"):
            shelf.get(name)

    asyncio.run(scene())
    assert KEEP_S == 600


def test_a_late_timer_shows_nothing_that_is_over() -> None:
    async def scene() -> None:
        now = [0.0]
        shelf = Shelf(clock=lambda: now[0])
        name = shelf.put(SMALL)
        now[0] = 599
        assert shelf.get(name)[1] == 1
        now[0] = 600
        with pytest.raises(NotFound):
            shelf.get(name)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "asked, status, body",
    [
        ("", 200, b"0123456789"),
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=0-99", 206, b"0123456789"),
        ("bytes=10-", 416, b""),
        ("lines=1-2", 200, b"0123456789"),
        ("bytes=" + "9" * 5000 + "-", 200, b"0123456789"),
        ("bytes=0-" + "9" * 5000, 200, b"0123456789"),
    ],
)
def test_parts_of_a_clip(asked: str, status: int, body: bytes) -> None:
    answer = part_of(b"0123456789", asked)
    assert (answer.status_code, bytes(answer.body)) == (status, body)


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    settings = Settings.load(visitors=1, public_url="http://192.0.2.7:8000/")
    with running(create_app(settings, ColourPipeline())) as worker:
        yield worker


@pytest.fixture
def visitor(served: Running) -> Iterator[httpx.Client]:
    """A client with a place of its own, and frames coming in."""
    with served.client() as http:
        stream = http.post("/v1/streams", json={}).json()
        http.headers["Authorization"] = f"Bearer {stream['token']}"
        http.base_url = httpx.URL(f"{served.base}/v1/streams/{stream['id']}/")
        yield http
        http.delete(str(http.base_url).rstrip("/"))


def test_a_phone_fetches_what_was_asked_for(served: Running, visitor: httpx.Client) -> None:
    (session,) = served.app.state.service.ready.streams.sessions
    with Walker(session, speed=20):
        taken = visitor.post("keepsake")
    assert taken.status_code == 201, taken.text
    assert taken.json()["url"].startswith("http://192.0.2.7:8000/k/")
    assert taken.json()["qr"].startswith("data:image/svg+xml")
    assert taken.json()["seconds_left"] == 600
    path = taken.json()["url"].removeprefix("http://192.0.2.7:8000")
    assert len(path.removeprefix("/k/")) * 6 >= 128, "bits, of a name that nobody can guess"
    with httpx.Client(base_url=served.base) as phone:
        page, clip, still = (phone.get(path + tail) for tail in ("", "/clip.mp4", "/still.jpg"))
        part = phone.get(f"{path}/clip.mp4", headers={"Range": "bytes=0-99"})
    assert "10 min" in page.text and f"{path}/clip.mp4" in page.text and "{" not in page.text
    assert page.headers["cache-control"] == clip.headers["cache-control"] == "no-store"
    assert (clip.headers["content-type"], still.headers["content-type"]) == ("video/mp4", "image/jpeg")
    assert part.status_code == 206 and part.content == clip.content[:100]


def test_a_wrong_name_leads_nowhere(served: Running) -> None:
    for tail in ("/clip.mp4", "/still.jpg"):
        answer = httpx.get(f"{served.base}/k/3Jv0a9{tail}")
        assert answer.status_code == 404 and answer.json()["code"] == "not_found"
    page = httpx.get(f"{served.base}/k/3Jv0a9")
    assert page.status_code == 404 and page.headers["content-type"].startswith("text/html"), "a person reads it"
    assert "deleted" in page.text and "削除" in page.text


def test_a_booth_that_phones_cannot_reach_says_so() -> None:
    with running(create_app(Settings.load(visitors=1), ColourPipeline())) as lonely, lonely.client() as http:
        stream = http.post("/v1/streams", json={}).json()
        answer = http.post(
            f"/v1/streams/{stream['id']}/keepsake", headers={"Authorization": f"Bearer {stream['token']}"}
        )
    assert answer.status_code == 503 and "STYLIZER_HOST" in answer.json()["message"]


def test_behind_a_proxy_phones_are_sent_where_the_page_was_opened() -> None:
    """Unless it is told otherwise nginx gives the worker its own address as Host, and says nothing of https."""
    booth = "https://booth.example:8443"
    settings = Settings.load(visitors=1, host="0.0.0.0", origins=(booth,))
    with running(create_app(settings, ColourPipeline())) as worker, worker.client(Origin=booth) as http:
        stream = http.post("/v1/streams", json={}).json()
        http.headers["Authorization"] = f"Bearer {stream['token']}"
        (session,) = worker.app.state.service.ready.streams.sessions
        with Walker(session, speed=20):
            taken = http.post(f"/v1/streams/{stream['id']}/keepsake")
    assert taken.status_code == 201, taken.text
    assert taken.json()["url"].startswith(f"{booth}/k/")


def test_only_the_streams_owner_may_ask(served: Running, visitor: httpx.Client) -> None:
    assert visitor.post("keepsake", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_backdrop_is_taken_or_refused_in_words(served: Running, visitor: httpx.Client) -> None:
    (session,) = served.app.state.service.ready.streams.sessions
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (10, 200, 30)).save(picture, "PNG")
    assert visitor.put("backdrop", content=picture.getvalue()).status_code == 204
    assert session._state.backdrop is not None and session._state.backdrop[0, 0].tolist() == [10, 200, 30]
    assert visitor.put("backdrop", content=b"no picture").status_code == 415
    assert visitor.put("backdrop", content=bytes(300_000)).status_code == 413
    assert visitor.put("backdrop", content=iter([bytes(100_000)] * 3)).status_code == 413, "of a length not told"
    assert visitor.delete("backdrop").status_code == 204
    assert session._state.backdrop is None


def test_a_reference_is_taken_or_refused_in_words(served: Running, visitor: httpx.Client) -> None:
    (session,) = served.app.state.service.ready.streams.sessions
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (10, 200, 30)).save(picture, "PNG")
    assert visitor.put("reference", content=picture.getvalue()).status_code == 204
    kept = session._state.reference
    assert kept is not None
    refused = visitor.put("reference", content=b"no picture")
    assert refused.status_code == 415 and refused.json()["message"].startswith("reference")
    assert visitor.put("reference", content=bytes(300_000)).status_code == 413
    vast = io.BytesIO()
    Image.new("1", (4000, 4000)).save(vast, "PNG")
    assert visitor.put("reference", content=vast.getvalue()).status_code == 422
    stranger = {"Authorization": "Bearer wrong"}
    assert visitor.put("reference", content=picture.getvalue(), headers=stranger).status_code == 401
    assert session._state.reference is kept
    assert visitor.delete("reference", headers=stranger).status_code == 401
    assert visitor.delete("reference").status_code == 204
    assert session._state.reference is None


@pytest.mark.parametrize("kind", ["backdrop", "reference"])
def test_a_picture_that_is_taken_away_while_it_is_sent_does_not_come_after_all(
    kind: str, served: Running, visitor: httpx.Client
) -> None:
    (stream,) = served.app.state.service.ready.streams._streams.values()
    picture, removed = io.BytesIO(), threading.Event()
    Image.new("RGB", (64, 48)).save(picture, "PNG")

    def remove() -> None:
        visitor.delete(kind)
        removed.set()

    def slowly_sent() -> Iterator[bytes]:
        yield picture.getvalue()[:20]
        wait_for(lambda: stream.pictures.locked(), 10)
        threading.Thread(target=remove).start()
        removed.wait(0.05)
        yield picture.getvalue()[20:]

    assert visitor.put(kind, content=slowly_sent()).status_code == 204
    assert removed.wait(10)
    assert getattr(stream.session._state, kind) is None


def test_waiting_visitors_keep_their_turn(served: Running, visitor: httpx.Client) -> None:
    with served.client() as http:

        def ask(ticket: str) -> httpx.Response:
            return http.post("/v1/streams", json={"ticket": ticket})

        first, second = ask("").json(), ask("").json()
        assert (first["code"], first["place"], second["place"]) == ("no_capacity", 1, 2)
        assert ask(first["ticket"]).json()["ticket"] == first["ticket"]
        visitor.delete(str(visitor.base_url).rstrip("/"))
        assert ask(second["ticket"]).json()["place"] == 2, "the place is free, and it is the first one's"
        let_in = ask(first["ticket"])
        assert let_in.status_code == 201
        assert ask(second["ticket"]).json()["place"] == 1
        stream = let_in.json()
        http.delete(f"/v1/streams/{stream['id']}", headers={"Authorization": f"Bearer {stream['token']}"})
        stream = ask(second["ticket"]).json()
        http.delete(f"/v1/streams/{stream['id']}", headers={"Authorization": f"Bearer {stream['token']}"})
