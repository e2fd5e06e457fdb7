"""Every private name of uvicorn and Starlette that `web/` touches, and nothing else.

Each says what the library lacks in public; when one of them breaks after an upgrade, this is the file to mend.
"""

import asyncio
from collections.abc import AsyncGenerator
from http import HTTPStatus

from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.middleware import proxy_headers
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from stylizer.errors import BadInput

ASK_S = 10.0  # for a request's first line and headers
READ_S = 60.0  # for a reader to take READ_BYTES of what waits for it
READ_BYTES = 16 * 1024


class _MemoryParser(MultiPartParser):
    spool_max_size = 1 << 62  # Starlette would write a file over 1 MB to disk: a visitor's picture must not go there


async def form_in_memory(request: Request, body: bytes) -> FormData:
    """Parses a multipart body that was already read, without touching the disk. Raises BadInput."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        return await _MemoryParser(Headers(raw=request.headers.raw), stream(), max_files=1, max_fields=50).parse()
    except (MultiPartException, KeyError) as error:
        raise BadInput(f"body: not multipart/form-data ({error})") from None


class _ForgetfulHosts(proxy_headers._TrustedHosts):
    """uvicorn keeps the last 4096 addresses of visitors, for as long as it runs, each with whether it is trusted."""

    def __init__(self, trusted_hosts: list[str] | str) -> None:
        super().__init__(trusted_hosts)
        self._trusts = self._compute_trust  # type: ignore[assignment]


def keep_no_addresses() -> None:
    """For every server made from now on."""
    proxy_headers._TrustedHosts = _ForgetfulHosts  # type: ignore[misc]


class ImpatientHttp(H11Protocol):
    """uvicorn waits for ever for a request that does not end and for a reader who does not read; here it hangs up."""

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _quiet_since_s: float

    @property
    def address(self) -> str | None:
        """Of the other side; None for a proxy that is trusted to say on whose behalf it asks."""
        address = self.client[0] if self.client else ""
        return None if address in _ForgetfulHosts(self.config.forwarded_allow_ips) else address

    @property
    def quiet_since_s(self) -> float | None:
        """Since when, in the event loop's time, nothing is being answered here; None while something is."""
        answering = self.cycle is not None and not self.cycle.response_complete
        upgraded = self.transport.get_protocol() is not self  # a WebSocket has another one
        return None if answering or upgraded else self._quiet_since_s

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._deadline, self._unread):
            if timer is not None:
                timer.cancel()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def hang_up(self) -> None:
        """At once; what was not sent yet is not sent."""
        self.transport.abort()

    def refuse(self, answer: Response) -> None:
        """Answers before anything was asked, and hangs up."""
        status = f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}".encode()
        headers = [b"%s: %s" % header for header in answer.raw_headers]
        self.transport.write(b"\r\n".join([status, *headers, b"connection: close", b"", bytes(answer.body)]))
        self.transport.close()

    def _watch_reader(self) -> None:
        def look() -> None:
            if before_bytes - self.transport.get_write_buffer_size() < READ_BYTES:
                self.transport.abort()
            else:
                self._watch_reader()

        before_bytes = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(READ_S, look)

    def _await_request(self) -> None:
        self._quiet_since_s = self.loop.time()
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(ASK_S, self._close_if_nothing_was_asked)

    def _close_if_nothing_was_asked(self) -> None:
        if self.quiet_since_s is not None:
            self.transport.close()
            self._deadline = self.loop.call_later(READ_S, self.transport.abort)  # should the last answer not be read


class Socket(WebSocketsSansIOProtocol):
    """A WebSocket as uvicorn speaks it."""
