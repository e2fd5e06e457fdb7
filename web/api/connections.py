"""How many connections are open, of one address and in all: whoever asks for nothing makes room for a newcomer."""

import asyncio
import resource
from asyncio import BaseTransport
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from stylizer.config import Settings
from stylizer.errors import NoCapacity, StylizerError
from web import compat_http
from web.addresses import household
from web.errors import TooManyRequests, problem


class Connection(Protocol):
    """quiet_since_s: since when it asks nothing, None while a request is under way."""

    @property
    def quiet_since_s(self) -> float | None: ...
    def hang_up(self) -> None: ...


class Held(NamedTuple):
    connection: Connection
    house: str | None  # None: a trusted proxy's


class Connections:
    """Those of one HTTP door. Lives in one event loop.

    displaced: quiet ones that were closed for a newcomer. refused: newcomers and requests for which there was no room.
    """

    def __init__(self, per_address: int, in_all: int) -> None:
        self.displaced = self.refused = 0
        self._per_address, self._in_all = per_address, in_all
        self._open: dict[BaseTransport, Held] = {}
        self._asking: Counter[str] = Counter()

    @classmethod
    def allowed_by(cls, settings: Settings) -> "Connections":
        """As many as the settings say, but no more than half the files that this process may open."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        unlimited = files == resource.RLIM_INFINITY
        in_all = settings.connections if unlimited else min(settings.connections, files // 2)
        return cls(settings.connections_per_address, in_all)

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, transport: BaseTransport, connection: Connection, address: str | None) -> None:
        """Counts one more, in the place of the longest quiet one when its address, or the door, has no more room.

        address: None for a trusted proxy's, whose visitors `asking` tells apart.
        Raises TooManyRequests or NoCapacity when none of those that could make room is quiet.
        """
        house = None if address is None else household(address)
        own = [key for key, held in self._open.items() if held.house == house]
        if house is not None and len(own) >= self._per_address:
            self._make_room(own, _too_many(self._per_address, "connections"))
        elif len(self._open) >= self._in_all:
            crowded = NoCapacity(f"all {self._in_all} connections are in use; please try again in a moment")
            self._make_room(self._of_the_greediest(), crowded)
        self._open[transport] = Held(connection, house)

    def leave(self, transport: BaseTransport) -> None:
        self._open.pop(transport, None)

    @contextmanager
    def asking(self, address: str) -> Iterator[None]:
        """Around a request of this address. Raises TooManyRequests when as many of its are under way already."""
        house = household(address)
        if self._asking[house] >= self._per_address:
            self.refused += 1
            raise _too_many(self._per_address, "requests")
        self._asking[house] += 1
        try:
            yield
        finally:
            self._asking[house] -= 1
            if not self._asking[house]:
                del self._asking[house]

    def _make_room(self, among: Iterable[BaseTransport], otherwise: StylizerError) -> None:
        quiet = [(since_s, key) for key in among if (since_s := self._open[key].connection.quiet_since_s) is not None]
        if not quiet:
            self.refused += 1
            raise otherwise
        _, longest = min(quiet, key=lambda entry: entry[0])
        self.displaced += 1
        self._open.pop(longest).connection.hang_up()

    def _of_the_greediest(self) -> list[BaseTransport]:
        """Quiet ones of the address that has most: whoever has few keeps them."""
        count = Counter(held.house for held in self._open.values())
        quiet = {key: held for key, held in self._open.items() if held.connection.quiet_since_s is not None}
        most = max((count[held.house] for held in quiet.values()), default=0)
        return [key for key, held in quiet.items() if count[held.house] == most]

    def http(self) -> type[compat_http.ImpatientHttp]:
        """What uvicorn makes of each new connection."""
        return type("CountedHttp", (_CountedHttp,), {"door": self})

    def socket(self) -> type[compat_http.Socket]:
        """What uvicorn makes of a connection that becomes a WebSocket: it stays counted, and is never quiet."""
        return type("CountedSocket", (_CountedSocket,), {"door": self})


class _CountedHttp(compat_http.ImpatientHttp):
    door: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        try:
            self.door.enter(transport, self, self.address)
        except StylizerError as error:
            self.refuse(problem(error))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.door.leave(self.transport)


class _CountedSocket(compat_http.Socket):
    door: Connections

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.door.leave(self.transport)


def _too_many(most: int, what: str) -> TooManyRequests:
    return TooManyRequests(f"more than {most} {what} at once from one address; please try again in a moment")
