"""A request's body as it arrives: no longer than allowed, whatever it said of itself, and whole in time."""

import asyncio
import time

from starlette.requests import Request
from starlette.types import Message, Receive

from web.errors import RefusedBody, TooLarge, TooSlow


def bounded(receive: Receive, limit_bytes: int | None, within_s: float | None) -> Receive:
    """`receive` that raises RefusedBody with TooLarge or TooSlow. None: no limit. The time counts from now."""
    end_s = None if within_s is None else time.monotonic() + within_s
    size, whole = 0, False

    async def receive_bounded() -> Message:
        nonlocal size, whole
        if whole:  # what comes now is the end of the connection
            return await receive()
        try:
            async with asyncio.timeout(None if end_s is None else end_s - time.monotonic()):
                message = await receive()
        except TimeoutError:
            raise RefusedBody(TooSlow(f"body: not whole within {within_s:g} s")) from None
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if limit_bytes is not None and size > limit_bytes:
            raise RefusedBody(TooLarge(f"body: at most {limit_bytes} bytes are allowed"))
        return message

    return receive_bounded


async def whole(request: Request, limit_bytes: int, too_large: str) -> bytes:
    """All of it, given up at the first byte too many: raises TooLarge with these words."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise TooLarge(too_large)
    return bytes(body)
