"""The doors: foreign pages stay out, floods are slowed, every answer carries the headers that browsers need."""

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylizer.errors import StylizerError
from web.addresses import household
from web.api.body import bounded
from web.api.connections import Connections
from web.errors import ForeignOrigin, TooLarge, TooManyRequests, problem

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PROGRAM_PATHS = ("/v1/stylize",)  # also for programs, which send no Origin
MAX_JSON_BYTES = 256 * 1024
BODY_S = 30.0  # for the whole body; the largest picture, 20 MB, from a phone at 1 MB/s takes 20
BURST, PER_SECOND = (
    30,
    3.0,
)  # POSTs per address: a page that reconnects makes two in a row, a booth's visitors share one
FORGET_S = 60.0

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class RateLimit:
    """A bucket of `burst` tokens per address, refilled at `per_second`; `forget` drops who was not seen for a minute.

    A whole IPv6 network counts as one address, see `household`.
    """

    def __init__(
        self, burst: int = BURST, per_second: float = PER_SECOND, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # address -> (tokens, at)

    @property
    def remembered(self) -> int:
        """Addresses."""
        return len(self._buckets)

    def take(self, address: str) -> None:
        """Raises TooManyRequests."""
        now, address = self._clock(), household(address)
        tokens, at = self._buckets.get(address, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        self._buckets[address] = (max(0.0, tokens - 1), now)
        if tokens < 1:
            raise TooManyRequests(
                f"more than {self._per_second:g} requests a second from one address; please slow down"
            )

    def forget(self) -> None:
        now = self._clock()
        self._buckets = {a: b for a, b in self._buckets.items() if now - b[1] < FORGET_S}


class Doors:
    """ASGI middleware around the application."""

    def __init__(
        self,
        app: ASGIApp,
        origins: tuple[str, ...],
        limit: RateLimit,
        connections: Connections,
        docs_path: str,
        uploads: tuple[str, ...] = (),
    ) -> None:
        """uploads: beginnings of paths whose routes count the bytes of their bodies themselves, in any time."""
        self._app, self._origins, self._limit, self._docs_path = app, origins, limit, docs_path
        self._connections, self._uploads = connections, uploads
        self._forgetting: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._open_socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and not scope["path"].startswith(self._docs_path):
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        with ExitStack() as under_way:
            try:
                self._check(scope)
                under_way.enter_context(self._connections.asking(_client(scope)))
            except StylizerError as error:
                await problem(error)(scope, receive, send_with_headers)
                return
            limit = None if self._counts_itself(scope) else MAX_JSON_BYTES
            within_s = None if scope["path"].startswith(self._uploads) else BODY_S
            asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope  # the server sends no body then
            await self._app(asked, bounded(receive, limit, within_s), send_with_headers)

    def _counts_itself(self, scope: Scope) -> bool:
        return scope["path"] in PROGRAM_PATHS or scope["path"].startswith(self._uploads)

    async def _open_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A browser sends no token with a WebSocket, but always its Origin; a foreign one gets 403."""
        headers = Headers(scope=scope)
        with ExitStack() as open_meanwhile:
            try:
                check_origin(headers.get("origin"), headers.get("host", ""), self._origins)
                self._count(scope)
                open_meanwhile.enter_context(self._connections.asking(_client(scope)))
            except StylizerError as error:
                await send({"type": "websocket.close", "code": 1008, "reason": error.code})
                return
            await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        if scope["method"] in SAFE_METHODS:
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is not None or scope["path"] not in PROGRAM_PATHS:
            check_origin(origin, headers.get("host", ""), self._origins)
        declared = headers.get("content-length", "0")
        if not self._counts_itself(scope) and (not declared.isdigit() or int(declared) > MAX_JSON_BYTES):
            raise TooLarge(f"body: {declared} bytes, at most {MAX_JSON_BYTES} are allowed")
        if scope["method"] == "POST":
            self._count(scope)

    def _count(self, scope: Scope) -> None:
        """Raises TooManyRequests."""
        if self._forgetting is None:
            self._forgetting = asyncio.get_running_loop().call_later(FORGET_S, self._forget)
        self._limit.take(_client(scope))

    def _forget(self) -> None:
        """Once a minute, until nobody is left to be forgotten."""
        self._limit.forget()
        again = self._limit.remembered > 0
        self._forgetting = asyncio.get_running_loop().call_later(FORGET_S, self._forget) if again else None


def _client(scope: Scope) -> str:
    """Who asks, behind a trusted proxy too."""
    return str(scope["client"][0]) if scope.get("client") else ""


def check_origin(origin: str | None, host: str, allowed: tuple[str, ...]) -> None:
    """Raises ForeignOrigin unless the page came from this worker itself or from an address in `allowed`.

    A Host that is a name counts as our own only when it is localhost or in `allowed`: any name on the internet can be
    made to point at 127.0.0.1 (DNS rebinding), an IP address cannot be made up that way.
    """
    if origin in allowed:
        return
    if origin is None:
        raise ForeignOrigin("the header Origin is absent; send the worker's own address")
    with contextlib.suppress(ValueError):  # either may be no address at all, "http://[" say
        name = urlsplit(f"//{host}").hostname or ""
        if urlsplit(origin).netloc == host and (name == "localhost" or _is_address(name)):
            return
    raise ForeignOrigin(
        f"pages of {origin!r:.80} may not use this worker; allowed are {', '.join(allowed) or 'its own'}"
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
