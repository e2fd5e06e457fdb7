"""Whose turn it is when every place is taken: first come, first served."""

import secrets
import time
from collections.abc import Callable

MAX_WAITING = 100
FORGET_S = 12.0  # who has not asked for this long has gone; pages ask every three seconds, and wait six for an answer


class Turns:
    """Tickets in the order in which they were first asked for. Lives in one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at_s: dict[str, float] = {}

    def __len__(self) -> int:
        now = self._clock()
        return sum(now - at <= FORGET_S for at in self._asked_at_s.values())

    def take(self, ticket: str | None) -> tuple[str | None, int]:
        """(ticket, how many are before it). One that nobody knows goes to the end under a new name; None only
        asks; with MAX_WAITING there nobody is added."""
        now = self._clock()
        self._asked_at_s = {t: at for t, at in self._asked_at_s.items() if now - at <= FORGET_S}
        if ticket is None:
            return None, len(self._asked_at_s)
        if ticket not in self._asked_at_s:
            if len(self._asked_at_s) >= MAX_WAITING:
                return None, MAX_WAITING
            ticket = secrets.token_urlsafe(12)
        self._asked_at_s[ticket] = now
        return ticket, list(self._asked_at_s).index(ticket)

    def leave(self, ticket: str | None) -> None:
        """Let in, or no longer interested."""
        if ticket is not None:
            self._asked_at_s.pop(ticket, None)
