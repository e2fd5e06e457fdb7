"""What the WebRTC layer needs of those who make the pictures: a `LiveSession` of the pipeline, a viewer of the show."""

from collections.abc import Callable, Mapping
from typing import Protocol

from stylizer.controls import Value
from stylizer.frame import Frame
from stylizer.live import SessionStats


class Session(Protocol):
    """One visitor's place; see `stylizer.live.LiveSession`."""

    on_result: Callable[[], None] | None

    @property
    def id(self) -> str: ...
    @property
    def controls(self) -> Mapping[str, Value]: ...
    def set(self, changes: Mapping[str, object]) -> Mapping[str, Value]: ...
    def offer(self, frame: Frame) -> None: ...
    def take(self, timeout_s: float) -> Frame | None: ...
    def stats(self) -> SessionStats: ...
    def leave(self) -> None: ...


class Host(Protocol):
    def join(self, controls: Mapping[str, object] | None = None) -> Session:
        """Raises NoCapacity, BadInput, NotFound."""
        ...
