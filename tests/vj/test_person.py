"""The person in the guest's picture, found beside the show."""

from typing import Any

import torch
from torch import Tensor

from stylizer.vj.bank import Bank
from stylizer.vj.person import PersonMatte
from stylizer.vj.session import VjSession
from tests.conftest import Rng
from tests.vj.conftest import SMALL
from tests.vj.waiting import eventually


class Halves:
    """A matte: the left half is the person."""

    name = "halves"

    def __call__(self, crops: Tensor, states: object, views: object) -> tuple[Tensor, Tensor, list[Any]]:
        alpha = torch.zeros(1, 1, 256, 256)
        alpha[..., :128] = 1
        return crops, alpha, [None]


def test_a_matte_that_fails_once_is_asked_again() -> None:
    class Stumbles(Halves):
        asked = 0

        def __call__(self, crops: Tensor, states: object, views: object) -> tuple[Tensor, Tensor, list[Any]]:
            self.asked += 1
            if self.asked == 1:
                raise RuntimeError("out of memory")
            return super().__call__(crops, states, views)

    matte, picture = PersonMatte(Stumbles), torch.zeros(1, 3, 256, 256)
    assert eventually(lambda: bool(matte(picture).max() == 1), seconds=10)


def test_the_person_is_found_beside_the_show() -> None:
    matte = PersonMatte(Halves)
    assert matte(torch.zeros(1, 3, 256, 256)).max() == 0  # nobody yet, and nobody waited
    assert eventually(lambda: bool(matte(torch.zeros(1, 3, 256, 256))[..., :128].min() == 1))


def test_the_person_of_a_picture_that_stays_is_shown_once_found(bank: Bank, rng: Rng) -> None:
    """A film's next frame asked again; a picture as guest comes once, and stayed without its person."""
    session = VjSession(bank, matte=PersonMatte(Halves))
    session.apply(SMALL | {"inject": "person"})
    session.offer(rng.pixels_u8(90, 160, 3))

    def shown() -> bool:
        session.step(1 / 30)
        assert session._guest is not None
        return bool(session._guest[2].alpha.max() == 1)

    assert eventually(shown)
