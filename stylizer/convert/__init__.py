"""Converters: what turns the cut-out person into a drawing. One protocol, three kinds of style."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from stylizer.controls import Value

Controls = Mapping[str, Value]

SIZE = 256  # px; every converter takes and gives squares of this side


class Converter(Protocol):
    """Shared by all visitors; remembers nothing of any of them.

    closeup: what draws the head from nearer, in squares of closeup.SIDES px: itself, one for heads alone, or nothing.
    """

    @property
    def closeup(self) -> "Converter | None": ...

    def __call__(self, foreground: Tensor, alpha: Tensor, controls: Sequence[Controls]) -> tuple[Tensor, Tensor]:
        """foreground [N, 3, SIZE, SIZE] unit, straight; alpha [N, 1, SIZE, SIZE]; one set of controls for each of N.

        Returns the drawing [N, 3, SIZE, SIZE] unit, straight, and its own alpha [N, 1, SIZE, SIZE], both on the CPU.
        """
        ...

    def warm_up(self) -> None:
        """Compiles whatever the first frame would wait for."""
        ...
