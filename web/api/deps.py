"""What routes ask for: the service, the ready pipeline, the stream whose token came with the request."""

from typing import Annotated, cast

from fastapi import Depends, Header, Request

from stylizer.errors import NotFound
from stylizer.live import LiveSession
from web.api.models import Problem
from web.api.service import Ready, Service
from web.errors import WrongToken
from web.rtc.streams import Stream


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


ServiceDep = Annotated[Service, Depends(_service)]


def _ready(service: ServiceDep) -> Ready:
    return service.ready


ReadyDep = Annotated[Ready, Depends(_ready)]


def _stream(stream_id: str, ready: ReadyDep, authorization: Annotated[str | None, Header()] = None) -> Stream:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise WrongToken("this needs the header Authorization: Bearer <token of the stream>")
    return ready.streams.get(stream_id, token.strip())


StreamDep = Annotated[Stream, Depends(_stream)]


def _visitor(stream: StreamDep) -> LiveSession:
    if not isinstance(stream.session, LiveSession):
        raise NotFound(f"stream {stream.id!r} has no camera: there is nobody to draw")
    return stream.session


VisitorDep = Annotated[LiveSession, Depends(_visitor)]


def client_address(request: Request) -> str:
    return request.client.host if request.client else ""


ClientDep = Annotated[str, Depends(client_address)]


def problems(*statuses: int) -> dict[int | str, dict[str, object]]:
    """For `responses=`: these statuses carry a Problem."""
    return {status: {"model": Problem} for status in statuses}
