"""Who makes the pictures: the best way that is ready; the next one goes on from the picture of one that fails."""

import pytest
import torch
from torch import Tensor

from kernels.weights import random_weights
from stylizer.errors import Unavailable
from stylizer.vj.bank import Model
from stylizer.vj.loop import Loop
from stylizer.vj.moment import Moment

MODEL = Model("one", 1, random_weights(1))
MOMENT = Moment({}, (MODEL, MODEL))


class Counting:
    """A way whose every step adds 1 to all pixels. fails: the call ("ready", "start", "dream", "coloured") that it
    refuses from the `after`-th on."""

    def __init__(self, name: str, *, fails: str = "", after: int = 1, is_ready: bool = True) -> None:
        self._name, self._fails, self._after, self.is_ready = name, fails, after, is_ready
        self._calls = 0
        self._picture = torch.zeros(1, 3, 2, 2)

    @property
    def name(self) -> str:
        return self._name

    def ready(self, models: tuple[Model, Model]) -> bool:
        self._called("ready")
        return self.is_ready

    def prepare(self, models: tuple[Model, Model]) -> None:
        self._called("prepare")

    def start(self, picture: Tensor) -> None:
        self._called("start")
        self._picture = picture

    def dream(self, moment: Moment) -> Tensor:
        self._called("dream")
        self._picture = self._picture + 1
        return self._picture

    def coloured(self, moment: Moment) -> Tensor:
        self._called("coloured")
        return -self._picture

    @property
    def picture(self) -> Tensor:
        return self._picture

    def _called(self, what: str) -> None:
        self._calls += what == self._fails
        if what == self._fails and self._calls >= self._after:
            raise Unavailable(f"{self._name} cannot {what}")


def test_the_next_way_goes_on_from_the_picture_of_one_that_fails() -> None:
    loop = Loop([Counting("own", fails="dream", after=3), Counting("plain")])
    assert [float(loop.dream(MOMENT).mean()) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert (loop.standing, loop.best, loop.why) == ("plain", "plain", "own cannot dream")


def test_a_way_that_gets_ready_takes_the_picture_over() -> None:
    own, plain = Counting("own", is_ready=False), Counting("plain")
    loop = Loop([own, plain])
    loop.dream(MOMENT)
    assert (loop.standing, loop.best, loop.why) == ("plain", "own", "own: being compiled")
    own.is_ready = True
    assert float(loop.dream(MOMENT).mean()) == 2
    assert (loop.standing, loop.why) == ("own", "") and loop.picture is own.picture


@pytest.mark.parametrize("call", ["ready", "start", "dream", "coloured"])
def test_whatever_fails_the_show_goes_on(call: str) -> None:
    loop = Loop([Counting("own", fails=call), Counting("card", fails=call), Counting("plain")], "no window")
    assert float(loop.dream(MOMENT).mean()) == 1
    assert float(loop.coloured(MOMENT).mean()) == -1
    assert float(loop.dream(MOMENT).mean()) == 2
    assert float(loop.coloured(MOMENT).mean()) == -2
    assert loop.standing == "plain"
    assert loop.why == f"no window; own cannot {call}; card cannot {call}"


def test_black_is_black_even_where_the_card_fails() -> None:
    loop = Loop([Counting("own", fails="start", after=2), Counting("plain")])
    for _ in range(3):
        loop.dream(MOMENT)
    assert loop.standing == "own"
    loop.black()
    assert loop.standing == "plain" and not loop.picture.any()


def test_the_last_way_has_nothing_below() -> None:
    with pytest.raises(Unavailable, match="plain cannot dream"):
        Loop([Counting("plain", fails="dream")]).dream(MOMENT)
