"""A recognisable visitor at a real worker process: afterwards nothing of their picture is anywhere it wrote."""

import asyncio
import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.datastructures import UploadFile
from starlette.requests import Request

from stylizer.frame import PixelsU8
from tests.scene import STAGES, OneStageEach
from tests.web.doubles import PaintedTrack, Running, Visitor, free_port
from web.compat_http import form_in_memory

pytestmark = pytest.mark.timeout(150)
CHECKOUT = Path(__file__).parents[2]
FACE = (240, 97, 41)  # a colour that occurs nowhere else, as camera picture and as the upload; every stage draws it
TOLERANCE = 8  # of each channel: what the codec on the way makes of it
RUN = 8  # pixels of it in a row
WORKER = """
from stylizer.config import Settings
from tests.scene import OneStageEach, pipeline
from web.api.server import serve
serve(Settings.load(), pipeline(OneStageEach()))
"""


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def _near(value: int) -> bytes:
    return b"[" + b"".join(re.escape(bytes([v])) for v in range(value - TOLERANCE, value + TOLERANCE + 1)) + b"]"


def _colour_of(stage: str) -> tuple[int, int, int]:
    """Of the visitor whom this stage fails."""
    return OneStageEach.red_of(stage), FACE[1], FACE[2]


_COLOURS = (FACE, *map(_colour_of, STAGES))
_ROWS = re.compile(
    b"|".join(b"(?:" + b"".join(map(_near, way)) + b"){%d}" % RUN for c in _COLOURS for way in (c, c[::-1])), re.DOTALL
)
_TRIPLES = re.compile(rb"(?<!\d)(\d{1,3})(?:,\s*|\s+)(\d{1,3})(?:,\s*|\s+)(\d{1,3})(?!\d)")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{32,}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){24,}")


def _traces(content: bytes) -> list[str]:
    """In which form a face is in there: raw RGB or BGR rows, base64 or hex of them, or written out as numbers."""
    base64_runs = (run[i : i + (len(run) - i) // 4 * 4] for run in _BASE64.findall(content) for i in range(4))
    found = {
        "rows": bool(_ROWS.search(content)),
        "base64": any(_ROWS.search(base64.b64decode(run)) for run in base64_runs),
        "hex": any(_ROWS.search(bytes.fromhex(run.decode())) for run in _HEX.findall(content)),
        "numbers": any(
            all(abs(int(number) - channel) <= TOLERANCE for number, channel in zip(triple, c, strict=True))
            for triple in _TRIPLES.findall(content)
            for c in _COLOURS
        ),
        "picture file": any(sign in content for sign in (b"\x89PNG\r\n", b"\xff\xd8\xff", b"WEBPVP8", b"ftypiso")),
    }
    return [name for name, there in found.items() if there]


def test_the_search_finds_what_it_looks_for() -> None:
    """As it was sent, and as the codec leaves it."""
    for colour in (FACE, tuple(channel + 3 for channel in _colour_of("matte"))):
        picture: PixelsU8 = np.full((4, 64, 3), colour, np.uint8)
        raw = picture.tobytes()
        for form, content in {
            "rows": raw,
            "base64": b"data:," + base64.b64encode(raw),
            "hex": raw.hex().encode(),
            "numbers": repr(picture).encode(),
        }.items():
            assert form in _traces(b"some text, " + content + b", and more"), form
        assert _traces(str(picture.tolist()).encode()) == ["numbers"]
    assert not _traces(os.urandom(10_000))


@pytest.mark.parametrize(
    "ending, stages", [(signal.SIGTERM, STAGES), (signal.SIGABRT, ("matte",))], ids=["told to end", "crashed"]
)
def test_nothing_of_a_visitors_picture_is_written(
    tmp_path: Path, ending: signal.Signals, stages: Sequence[str]
) -> None:
    """Streamed, uploaded, refused, recorded, failed in every stage, crashed: nothing on disk, nothing in the log."""
    home = tmp_path / "home"
    home.mkdir()
    port = free_port()
    environment = {
        **os.environ,
        **{name: str(home) for name in ("HOME", "TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME")},
        "STYLIZER_CACHE": str(home / "cache"),
        "STYLIZER_PORT": str(port),
        "STYLIZER_MIN_FPS": "0.1",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONFAULTHANDLER": "1",
        "STYLIZER_PUBLIC_URL": "http://192.0.2.7:8000",
    }
    log = home / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=home, env=environment, stdout=sink, stderr=sink)
        try:
            asyncio.run(_visit(Running(f"http://127.0.0.1:{port}", FastAPI()), stages))
            process.send_signal(ending)
            process.wait(20)
        finally:
            process.kill()
            process.wait()
    text = log.read_bytes()
    assert text.count(b"frame failed") >= len(stages), "each fault wrote its traceback: there is something to search"
    if ending is signal.SIGTERM:  # else the interpreter's own last words
        assert all("event" in json.loads(line) for line in text.splitlines()), "one JSON object a line, whoever speaks"
    assert b"127.0.0.1" not in text.replace(b"http://127.0.0.1:", b""), "no visitor's address is logged"
    assert _files(home) == [log], "no file but the log is written at all"
    found = {str(path.relative_to(home)): traces for path in _files(home) if (traces := _traces(path.read_bytes()))}
    assert found == {}
    assert not list(tmp_path.rglob("core*")), "no core dump"


@pytest.mark.parametrize(
    "start",
    [
        "from fastapi import FastAPI; from web.api.server import make_server; make_server(Settings.load(), FastAPI())",
        "from web.studio import launch; launch.command = lambda _: [sys.executable, '-c', LIMIT]; "
        "launch.start(Settings.load()).wait()",
    ],
    ids=["worker, demo, stage", "studio"],
)
def test_no_process_that_holds_visitors_pictures_leaves_a_core_dump(start: str) -> None:
    limit = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    allowed = "import resource, sys; _, most = resource.getrlimit(4); resource.setrlimit(4, (most, most))"
    code = f"{allowed}; LIMIT = {limit!r}; from stylizer.config import Settings; {start}; exec(LIMIT)"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == {"(0, 0)"}


async def _visit(worker: Running, stages: Sequence[str]) -> None:
    async with httpx.AsyncClient(base_url=worker.base, timeout=20) as http:
        async with asyncio.timeout(100):
            while not await _ready(http):
                await asyncio.sleep(0.2)
    for stage in stages:
        await _fail(worker, stage)
    visitor = await _enter(worker, FACE)
    await visitor.frames(10, 60)
    for colour in (FACE, *map(_colour_of, stages)):
        picture = _png(colour)
        await _post(visitor, "/v1/stylize", content=picture)
        assert (await _post(visitor, "/v1/stylize?seed=x", content=picture)).status_code == 422
        assert (await _post(visitor, "/v1/stylize", content=picture[:60])).status_code == 415
        await _post(visitor, "/v1/stylize?format=jpeg", content=picture)
        taken = await _send(visitor, "PUT", visitor.path("reference"), content=picture)
        assert taken.status_code in (204, 503), "a stage may fail on it"
    await _post(visitor, "/v1/stylize", files={"image": ("face.png", picture + bytes(2_000_000))})
    await _take_home(visitor)
    await visitor.frames(5, 40)
    await visitor.vanish()


async def _take_home(visitor: Visitor) -> None:
    """A clip is recorded, and fetched by a phone."""
    taken = await _post(visitor, visitor.path("keepsake"))
    assert taken.status_code == 201, taken.text
    fetched = await visitor.http.get(taken.json()["url"].removeprefix("http://192.0.2.7:8000") + "/clip.mp4")
    assert fetched.status_code == 200 and b"ftyp" in fetched.content[:16]


async def _post(visitor: Visitor, path: str, **body: Any) -> httpx.Response:
    return await _send(visitor, "POST", path, **body)


async def _send(visitor: Visitor, method: str, path: str, **body: Any) -> httpx.Response:
    """Again, as long as the worker asks for patience."""
    while (answer := await visitor.http.request(method, path, **body)).status_code == 429:
        await asyncio.sleep(0.4)
    return answer


async def _enter(worker: Running, colour: tuple[int, int, int]) -> Visitor:
    visitor = Visitor(worker, PaintedTrack(colour, pause_s=0.05))
    await visitor.open({"framing": "scene", "background": "room", "style": "plain"})
    await visitor.connect()
    return visitor


async def _fail(worker: Running, stage: str) -> None:
    """A visitor stays until this stage has failed on their picture."""
    visitor = await _enter(worker, _colour_of(stage))
    async with asyncio.timeout(60):
        while not (await visitor.http.get(visitor.path("stats"))).json()["failed"]:
            await asyncio.sleep(0.05)
    await visitor.http.delete(visitor.path())
    await visitor.vanish()


async def _ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/ready")).status_code == 200
    except httpx.TransportError:
        return False


def _png(colour: tuple[int, int, int]) -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (200, 200), colour).save(memory, "PNG")
    return memory.getvalue()


def test_an_uploaded_form_is_held_in_memory_however_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starlette would put more than 1 MB into a file without a name, which the search above does not find."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a visitor's picture goes to the disk")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    picture = bytes(3_000_000)
    lines = (b"--x", b'Content-Disposition: form-data; name="image"; filename="me.png"', b"", picture, b"--x--", b"")
    headers = [(b"content-type", b"multipart/form-data; boundary=x")]

    async def read() -> bytes:
        form = await form_in_memory(Request({"type": "http", "headers": headers}), b"\r\n".join(lines))
        image = form["image"]
        assert isinstance(image, UploadFile)
        content = await image.read()
        await form.close()
        return content

    assert asyncio.run(read()) == picture
