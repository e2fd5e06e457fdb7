"""A slot of one: the newest value wins, and the one that it replaces is counted."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Hand-over between two tasks of one event loop."""

    def __init__(self) -> None:
        self.dropped = 0
        self._value: T | None = None
        self._filled = asyncio.Event()

    def put(self, value: T) -> None:
        self.dropped += self._value is not None
        self._value = value
        self._filled.set()

    async def get(self) -> T:
        """Waits for a value and empties the slot."""
        await self._filled.wait()
        self._filled.clear()
        value, self._value = self._value, None
        assert value is not None
        return value
