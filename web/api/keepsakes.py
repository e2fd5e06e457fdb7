"""Taking it home: recorded when the visitor asks, fetched by their phone, gone after ten minutes."""

import asyncio
import re
from typing import Annotated

import segno
from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import HTMLResponse

from stylizer.errors import NoCapacity, NotFound, Unavailable
from web.addresses import for_phones
from web.api.deps import ServiceDep, VisitorDep, problems
from web.api.models import Taken
from web.api.service import RECORDERS
from web.documents import PAGES, document
from web.keepsake import record

router = APIRouter(tags=["taking it home"])
PAGE, GONE = (PAGES / "keepsake" / name for name in ("page.html", "gone.html"))
PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


@router.post("/v1/streams/{stream_id}/keepsake", status_code=201, responses=problems(401, 403, 404, 429, 503))
async def take_home(request: Request, visitor: VisitorDep, service: ServiceDep) -> Taken:
    """Record the next six seconds of this stream; answers when they are over.

    503 when nobody was drawn meanwhile, when one is being recorded already, when phones cannot reach this worker.
    """
    base = for_phones(service.settings, request.headers["origin"])  # without one the doors let nobody in
    if base is None:
        raise Unavailable("phones cannot reach this booth: it listens to its own machine alone (STYLIZER_HOST=0.0.0.0)")
    if visitor.id in service.recording or len(service.recording) >= RECORDERS:
        raise NoCapacity("a clip is being recorded already; please wait until it is done")
    service.recording.add(visitor.id)
    try:
        keepsake = await asyncio.get_running_loop().run_in_executor(service.recorders, record, visitor)
    finally:
        service.recording.discard(visitor.id)
    address = f"{base}/k/{service.shelf.put(keepsake)}"
    code = segno.make(address, error="m").svg_data_uri(scale=8, border=2, dark="#101114", light="#ffffff")
    return Taken(url=address, qr=code, seconds_left=round(service.shelf.keep_s))


@router.get("/k/{name}", include_in_schema=False)
async def page(name: str, service: ServiceDep) -> HTMLResponse:
    try:
        _, left_s = service.shelf.get(name)
    except NotFound:  # told in a page: a visitor's phone asks
        answer = document(GONE)
        answer.status_code = 404
    else:
        answer = document(PAGE, name=name, minutes=str(max(1, round(left_s / 60))))
    answer.headers.update(PRIVATE)
    return answer


@router.get("/k/{name}/still.jpg", include_in_schema=False)
async def still(name: str, service: ServiceDep) -> Response:
    return Response(service.shelf.get(name)[0].still, media_type="image/jpeg", headers=PRIVATE)


@router.get("/k/{name}/clip.mp4", include_in_schema=False)
async def clip(name: str, service: ServiceDep, range: Annotated[str, Header()] = "") -> Response:
    """Whole or in part: Safari plays no film from a server that does not give parts."""
    return part_of(service.shelf.get(name)[0].clip, range)


def part_of(content: bytes, asked: str) -> Response:
    """Answers `Range: bytes=first-last`, `first-` or `-count`; whole for anything else (RFC 9110, section 14)."""
    headers = PRIVATE | {"Accept-Ranges": "bytes"}
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", asked)
    if not found or found.groups() == ("", ""):
        return Response(content, media_type="video/mp4", headers=headers)
    size, (first, last) = len(content), found.groups()
    begin = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if begin >= end:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    return Response(content[begin:end], 206, media_type="video/mp4", headers=headers)
