"""One step of the loop: all that it depends on, and what any way to carry it out must offer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from stylizer.controls import Value
from stylizer.vj.bank import Model
from stylizer.vj.inject import Guest


@dataclass(frozen=True, slots=True)
class Moment:
    """controls: of the VJ page, all of them. models: of slots A and B.

    helping: amplitude of the collapse guard's noise. noise_s: time of the noises, which `noise_speed`
    stretches; time_s: of the show, without what was frozen.
    """

    controls: Mapping[str, Value]
    models: tuple[Model, Model]
    guest: Guest | None = None
    helping: float = 0.0
    noise_s: float = 0.0
    time_s: float = 0.0

    def number(self, name: str) -> float:
        return float(self.controls[name])

    @property
    def amplitudes(self) -> tuple[float, float, float]:
        """Of the three noises of Ngx."""
        return self.number("noise_1"), self.number("noise_2") + self.helping, self.number("noise_3")


class Way(Protocol):
    """Holds the fed-back picture and makes the next one, float32 [1, 3, 256, 256] in 0..1. For one thread."""

    @property
    def name(self) -> str:
        """In words, for people."""
        ...

    def ready(self, models: tuple[Model, Model]) -> bool:
        """Whether it can make a picture at once. What it lacks is made meanwhile, beside the show.

        Raises Unavailable when it never will be.
        """
        ...

    def prepare(self, models: tuple[Model, Model]) -> None:
        """From any thread: makes what these models need, so that the first picture with them comes without a stall.

        Raises Unavailable when the machine fails.
        """
        ...

    def start(self, picture: Tensor) -> None:
        """The loop goes on from this picture."""
        ...

    def dream(self, moment: Moment) -> Tensor:
        """The next picture, as the network made it: on any device. Raises Unavailable when the machine fails."""
        ...

    def coloured(self, moment: Moment) -> Tensor:
        """What is to be shown of the newest picture, in memory: hue, inversion, false colours. Raises Unavailable."""
        ...

    @property
    def picture(self) -> Tensor:
        """What the loop holds, in memory: of the last step, whatever has failed since."""
        ...
