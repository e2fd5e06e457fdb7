"""Routes of a live stream, from asking for a place to leaving it."""

import asyncio
import time

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from stylizer.config import Settings
from stylizer.errors import NoCapacity, StylizerError
from stylizer.picture import decode_picture
from web.api.deps import ClientDep, ReadyDep, ServiceDep, StreamDep, VisitorDep, problems
from web.api.models import (
    Controls,
    ControlsNow,
    IceServer,
    OpenedStream,
    OpenStream,
    Queued,
    SdpAnswer,
    SdpOffer,
    Stats,
)
from web.api.stills import FORMATS
from web.rtc.ice import browser_ice_servers
from web.rtc.messages import stats_dict
from web.rtc.streams import Stream
from web.rtc.threads import slowly

MAX_PIXELS = 4_000_000  # of a visitor's own picture

router = APIRouter(prefix="/v1/streams", tags=["live streams"])


@router.post(
    "",
    status_code=201,
    responses=problems(400, 403, 404, 408, 413, 422, 429) | {503: {"model": Queued}},
    response_model=OpenedStream,
)
async def open_stream(
    asked: OpenStream, request: Request, ready: ReadyDep, service: ServiceDep
) -> OpenedStream | JSONResponse:
    """Take a place. It is lost again when no offer follows within ten seconds.

    422 a control is wrong; 429 too many requests from this address; 503 still loading, or every place is taken: then
    with a ticket and one's place in the queue, which stays for those who ask again every few seconds.
    """
    ticket, before = service.turns.take(asked.ticket)
    try:
        if ready.worker.visitors + before >= ready.worker.capacity:
            raise NoCapacity(f"all {ready.worker.capacity} places are taken; please try again in a moment")
        stream = await ready.streams.open(asked.controls, asked.resume)
    except NoCapacity as full:
        queued = Queued(code=full.code, message=str(full), ticket=ticket, place=before + 1)
        return JSONResponse(queued.model_dump(), 503, {"Retry-After": "2"})
    except StylizerError:
        service.turns.leave(ticket)
        raise
    if await request.is_disconnected():  # a style loaded for longer than the page waits: it asks anew, in its turn
        await ready.streams.drop(stream, "nobody waited for the place")
    else:
        service.turns.leave(ticket)
    ice = ice_servers(service.settings, stream)
    return OpenedStream(id=stream.id, token=stream.token, ice_servers=ice, controls=dict(stream.session.controls))


def ice_servers(settings: Settings, stream: Stream) -> list[IceServer]:
    return [IceServer(**server) for server in browser_ice_servers(settings, stream.id, time.time())]


@router.get("/{stream_id}/ice_servers", responses=problems(401, 404, 503))
async def read_ice_servers(stream: StreamDep, service: ServiceDep) -> list[IceServer]:
    """For a new connection: a relay's credentials hold for an hour, a stream as long as its visitor stays."""
    return ice_servers(service.settings, stream)


@router.post("/{stream_id}/offer", responses=problems(400, 401, 403, 404, 408, 413, 422, 429, 503))
async def answer_offer(offer: SdpOffer, stream: StreamDep, client: ClientDep) -> SdpAnswer:
    """Answer a browser's offer. A second offer replaces the first connection; controls and memory stay.

    401 wrong token; 404 no such stream; 422 the SDP does not parse or asks for what is not served.
    """
    return SdpAnswer(sdp=await stream.answer(offer.sdp, client))


@router.get("/{stream_id}/controls", responses=problems(401, 404, 503))
async def read_controls(stream: StreamDep) -> ControlsNow:
    """What holds now."""
    return ControlsNow(controls=dict(stream.session.controls))


@router.patch("/{stream_id}/controls", responses=problems(400, 401, 403, 404, 408, 413, 422, 503))
async def change_controls(changes: Controls, stream: StreamDep) -> ControlsNow:
    """Change some controls, all or none. 404 an unknown name; 422 a value out of range."""
    return ControlsNow(controls=dict(await slowly(stream.session.set, changes)))  # may load a style


@router.put("/{stream_id}/backdrop", status_code=204, responses=problems(401, 403, 404, 408, 413, 415, 422, 503))
async def put_backdrop(request: Request, stream: StreamDep, visitor: VisitorDep, service: ServiceDep) -> None:
    """The visitor's own picture for background "picture": JPEG, PNG or WebP as the body. Kept as long as the stream.

    413 too many bytes; 415 no such picture; 422 too many pixels.
    """
    async with stream.pictures:
        body = await request.body()  # no larger than the doors let through, nor, from pages, than the screen needs
        decoding = asyncio.get_running_loop().run_in_executor(
            service.stills, decode_picture, body, "background", MAX_PIXELS, FORMATS
        )
        visitor.set_backdrop(await decoding)


@router.delete("/{stream_id}/backdrop", status_code=204, responses=problems(401, 403, 404, 503))
async def remove_backdrop(stream: StreamDep, visitor: VisitorDep) -> None:
    """The painted landscape again."""
    async with stream.pictures:
        visitor.set_backdrop(None)


@router.put("/{stream_id}/reference", status_code=204, responses=problems(401, 403, 404, 408, 413, 415, 422, 503))
async def put_reference(request: Request, stream: StreamDep, visitor: VisitorDep, service: ServiceDep) -> None:
    """A picture of somebody whose look the visitor takes on, as far as `look` says: as a backdrop is sent. Of a picture
    with nobody in it, such as a painting, the colours are taken. Kept as long as the stream; answers when it shows.

    413 too many bytes; 415 no such picture; 422 too many pixels; 503 it could not be cut out.
    """
    async with stream.pictures:
        body = await request.body()

        def work() -> None:
            visitor.set_reference(decode_picture(body, "reference", MAX_PIXELS, FORMATS))

        await asyncio.get_running_loop().run_in_executor(service.stills, work)


@router.delete("/{stream_id}/reference", status_code=204, responses=problems(401, 403, 404, 503))
async def remove_reference(stream: StreamDep, visitor: VisitorDep) -> None:
    """The visitor's own look again, or their seed's."""
    async with stream.pictures:
        visitor.set_reference(None)


@router.get("/{stream_id}/stats", responses=problems(401, 404, 503))
async def read_stats(stream: StreamDep) -> Stats:
    """Counters, frames per second, latency."""
    return Stats.model_validate(stats_dict(stream.session.stats()))


@router.delete("/{stream_id}", status_code=204, responses=problems(401, 403, 404, 503))
async def leave(stream: StreamDep, ready: ReadyDep) -> None:
    """Leave at once; the place is free when this answers."""
    await ready.streams.drop(stream, "left")
