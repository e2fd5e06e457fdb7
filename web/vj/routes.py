"""Doors of the stage: the control page's socket, dropped models, thumbnails."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from itertools import count
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field

from stylizer.errors import BadInput, NoCapacity, NotFound, StylizerError
from web.api.body import whole
from web.api.deps import problems
from web.api.doors import RateLimit
from web.api.models import OpenedStream, OpenStream
from web.api.streams import ice_servers
from web.errors import TooManyRequests, WrongToken
from web.messages import parsed, refusal
from web.rtc.threads import slowly
from web.vj.hub import MAX_PAGES, Outbox
from web.vj.messages import carry_out, check_hello, check_key, chooses_model
from web.vj.service import StageService
from web.vj.stage import Json

MAX_PICT_BYTES = 64 << 20  # the published 64-filter network is 54 MB
HELLO_S = 5.0
MESSAGES_PER_S, MESSAGES_BURST = 120.0, 240  # a slider sends one with each picture of the screen
KINDS = ("model", "preset")
SLOTS_PATH = "/v1/stage/slots/"

router = APIRouter(prefix="/v1/stage", tags=["stage"])
outputs = APIRouter(prefix="/v1/streams", tags=["live streams"])
_page_numbers = count()


class Dropped(BaseModel):
    model: str = Field(description="the name under which the slot now plays it", examples=["edges2cats.pict"])


def _service(request: Request | WebSocket) -> StageService:
    service = request.app.state.service
    assert isinstance(service, StageService)
    return service


@outputs.post("", status_code=201, responses=problems(403, 422, 429, 503))
async def open_output(asked: OpenStream, request: Request) -> OpenedStream:
    """Look at the show, `output_size` in px for a small preview. 503 when too many pages look already."""
    service = _service(request)
    stream = await service.streams.open(asked.controls)
    ice = ice_servers(service.settings, stream)
    return OpenedStream(id=stream.id, token=stream.token, ice_servers=ice, controls=dict(stream.session.controls))


@router.websocket("")
async def control(socket: WebSocket) -> None:
    """The control page: see `web/vj/messages.py`."""
    service = _service(socket)
    await socket.accept()
    try:
        async with asyncio.timeout(HELLO_S):
            check_hello(parsed(await socket.receive_text()), service.key)
        if service.hub.pages >= MAX_PAGES:
            raise NoCapacity(f"{MAX_PAGES} control pages are open already; close one of them")
    except TimeoutError:
        await _refuse(socket, WrongToken(f"no hello came within {HELLO_S:g} s"))
    except StylizerError as error:
        await _refuse(socket, error)
    except (WebSocketDisconnect, KeyError):  # KeyError: the first message was binary
        return
    else:
        await _serve(socket, service)


async def _refuse(socket: WebSocket, error: StylizerError) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it may be gone already
        await socket.send_text(refusal(error))
        await socket.close(4401 if isinstance(error, WrongToken) else 1008, error.code)


async def _serve(socket: WebSocket, service: StageService) -> None:
    box = service.hub.enter()
    sending = asyncio.create_task(_send(socket, box))
    try:
        await _receive(socket, service, box)
    except (WebSocketDisconnect, KeyError):
        pass
    finally:
        service.hub.leave(box)
        if not service.hub.pages:  # nobody is there to see that the next knob would be learned
            service.stage.learn(None)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(socket: WebSocket, box: Outbox) -> None:
    while True:
        await socket.send_text(await box.get())


async def _receive(socket: WebSocket, service: StageService, box: Outbox) -> None:
    """In order, except that only a preset waits for a model that a message before it chose."""
    limit, page = RateLimit(MESSAGES_BURST, MESSAGES_PER_S), str(next(_page_numbers))
    choosing: asyncio.Task[None] | None = None
    while True:
        text = await socket.receive_text()
        with _refusing(service, box):
            _within(limit, page)
            message = parsed(text)
            if chooses_model(message):
                choosing = asyncio.create_task(_choose(choosing, service, box, message))
                continue
            if choosing and message.get("type") == "preset":
                await asyncio.wait((choosing,))
            await slowly(carry_out, service.stage, service.audience, message)


async def _choose(before: asyncio.Task[None] | None, service: StageService, box: Outbox, message: Json) -> None:
    if before:
        await asyncio.wait((before,))
    with _refusing(service, box):
        await slowly(carry_out, service.stage, service.audience, message)


@contextlib.contextmanager
def _refusing(service: StageService, box: Outbox) -> Iterator[None]:
    """What cannot be done is answered in words."""
    try:
        yield
    except StylizerError as error:
        box.put("error", refusal(error))
        box.put("controls", json.dumps(service.stage.controls()))  # the page shows what it wanted


def _within(limit: RateLimit, page: str) -> None:
    try:
        limit.take(page)
    except TooManyRequests:
        raise TooManyRequests(f"more than {MESSAGES_PER_S:g} messages a second; the rest is not carried out") from None


@router.post("/slots/{slot}", responses=problems(401, 403, 404, 413, 415, 422, 429, 503))
async def drop(
    slot: str,
    request: Request,
    name: Annotated[str, Query(max_length=200, description="the file's name")],
    authorization: Annotated[str | None, Header()] = None,
) -> Dropped:
    """Put a `.pict` file (the body) into slot a or b and play it.

    401 without the show's key; 404 no such slot; 413 more than 64 MiB; 415 not a whole U-Net-256; 422 another suffix.
    """
    service = _service(request)
    check_key((authorization or "").removeprefix("Bearer ").strip(), service.key)
    if service.dropping.locked():
        raise NoCapacity("another model is being loaded; please try again in a moment")
    async with service.dropping:
        too_large = f"file: more than {MAX_PICT_BYTES >> 20} MiB, the most that a slot takes"
        data = await whole(request, MAX_PICT_BYTES, too_large)
        if not data:
            raise BadInput("file: it is empty")
        return Dropped(model=await slowly(service.stage.drop, slot, name, data))


@router.get("/thumbnails/{kind}/{name:path}", response_class=Response, responses=problems(404))
async def thumbnail(kind: str, name: str, request: Request) -> Response:
    """A JPEG of 160 px. 404 while it is not made; the message `shelf` says when it is."""
    picture = _service(request).stage.thumbnails.get(kind, name)
    if picture is None:
        raise NotFound(f"no picture of {kind!r:.20} {name!r:.60} yet; kinds are {', '.join(KINDS)}")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})
