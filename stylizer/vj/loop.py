"""Which way the loop is carried out: the best that this machine has, the next one where it fails, in view."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from kernels.card import why_no_card
from stylizer.config import Device
from stylizer.errors import Unavailable
from stylizer.logs import log
from stylizer.vj.bank import Model
from stylizer.vj.cupy_way import CupyWay
from stylizer.vj.moment import Moment, Way
from stylizer.vj.noise import SIZE
from stylizer.vj.torch_way import TorchWay


class Loop:
    """ways: best first; the last one is ready at once and never fails. why: what is missing from the start, in words.

    While the best is being made ready, the next one plays; a way that fails is left for good. Whoever takes over goes
    on from the picture that the other one held.
    """

    def __init__(self, ways: Sequence[Way], why: str = "") -> None:
        self._ways, self._playing = list(ways), ways[-1]
        self._left, self._waiting = [why] if why else [], ""

    @property
    def best(self) -> str:
        """What plays as soon as it is ready, in words."""
        return self._ways[0].name

    @property
    def standing(self) -> str:
        """What plays, in words."""
        return self._playing.name

    @property
    def why(self) -> str:
        """Why nothing better does; "" for the first choice."""
        return "; ".join(self._left + ([self._waiting] if self._waiting else []))

    @property
    def picture(self) -> Tensor:
        """What the loop holds: float32 [1, 3, 256, 256] in 0..1."""
        return self._playing.picture

    def prepare(self, models: tuple[Model, Model]) -> None:
        """From any thread, before these models play: whoever chose them waits, the show does not."""
        with contextlib.suppress(Unavailable):  # the next step will meet the same, and leave the way
            self._playing.prepare(models)

    def black(self) -> None:
        """Begins anew."""
        black = torch.zeros(1, 3, SIZE, SIZE)
        while True:
            try:
                return self._playing.start(black)
            except Unavailable as error:
                self._leave(self._playing, error)

    def dream(self, moment: Moment) -> Tensor:
        """The next picture, as the network made it: float32 [1, 3, 256, 256]."""
        while True:
            self._choose(moment.models)
            try:
                return self._playing.dream(moment)
            except Unavailable as error:
                self._leave(self._playing, error)

    def coloured(self, moment: Moment) -> Tensor:
        """What is to be shown of it."""
        while True:
            try:
                return self._playing.coloured(moment)
            except Unavailable as error:
                self._leave(self._playing, error)

    def _choose(self, models: tuple[Model, Model]) -> None:
        """The first way that is ready plays."""
        waiting = []
        for way in tuple(self._ways):
            try:
                if way.ready(models):
                    self._go_over(way)
                    break
                waiting.append(f"{way.name}: being compiled")
            except Unavailable as error:
                self._leave(way, error)
        self._waiting = "; ".join(waiting)

    def _leave(self, way: Way, error: Unavailable) -> None:
        """Raises `error` where there is nothing below."""
        self._ways.remove(way)
        if not self._ways:
            raise error
        self._left.append(str(error))
        log.warning("a way to carry out the loop is left", reason=str(error))
        if way is self._playing:
            self._go_over(self._ways[-1])

    def _go_over(self, way: Way) -> None:
        if way is not self._playing:
            way.start(self._playing.picture)
            self._playing = way
            log.info("the loop is carried out by", way=way.name)


def open_loop(
    device: Device = Device.CPU,
    *,
    seed: int = 0,
    cache: Path | None = None,
    offline: bool = False,
    compiles: bool = True,
) -> Loop:
    """The loop of this machine. device: CPU takes no card; CUDA insists on one.

    seed: of the noise; the same seed, controls and steps give the same pictures. cache: folder for quantised networks.
    offline: nothing happens beside the steps, so the same seed gives the same bits, and no show waits. compiles: False
    leaves a resting fader in torch, for shows of a moment. Raises Unavailable where a card is insisted on and missing.
    """
    plain = TorchWay(seed=seed, cache=cache, wait=offline, compiles=compiles)
    if device == Device.CPU:
        return Loop([plain])
    if missing := why_no_card():
        if device == Device.CUDA:
            raise Unavailable(f"STYLIZER_DEVICE=cuda, but {missing}; use cpu or auto")
        return Loop([plain], missing)
    ways: list[Way] = [CupyWay(seed=seed, wait=offline)]
    if torch.cuda.is_available():
        ways.append(TorchWay(torch.device("cuda"), seed=seed))
    return Loop([*ways, plain])
