"""Converters: what turns the cut-out person into a drawing. One protocol, three kinds of style."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from stylizer.controls import Value
from stylizer.stages.medium import Medium

Controls = Mapping[str, Value]

SIZE = 256  # px; every converter takes and gives squares of this side


class Look(NamedTuple):
    """What a style takes on of another person: ws [1, num_ws, w_dim] and tones [1, 2, C], see convert.tones."""

    ws: Tensor
    tones: Tensor


class Converter(Protocol):
    """Shared by all visitors; remembers nothing of any of them.

    closeup: what draws the head from nearer, in squares of closeup.SIDES px: itself, one for heads alone, or nothing.
    medium: what its drawings are carried out in, where nobody chose.
    """

    @property
    def closeup(self) -> "Converter | None": ...

    @property
    def medium(self) -> Medium | None: ...

    def __call__(
        self, foreground: Tensor, alpha: Tensor, controls: Sequence[Controls], looks: Sequence[Look | None]
    ) -> tuple[Tensor, Tensor]:
        """foreground [N, 3, SIZE, SIZE] unit, straight; alpha [N, 1, SIZE, SIZE]; for each of N their controls, and
        the look of their reference.

        Returns the drawing [N, 3, SIZE, SIZE] unit, straight, and its own alpha [N, 1, SIZE, SIZE], both on the CPU.
        """
        ...

    def look_of(self, foreground: Tensor, alpha: Tensor) -> Look | None:
        """The person [1, 3, S, S] and [1, 1, S, S], as above, as a look for others; None if this style takes none.

        Any thread may ask; takes some 0.1 s.
        """
        ...

    def warm_up(self) -> None:
        """Compiles whatever the first frame would wait for."""
        ...
