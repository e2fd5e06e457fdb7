"""Whether there is a card is asked of NVIDIA's driver, and what is missing is told in words."""

import ctypes

import pytest

from kernels.card import why_no_card


class Driver:
    """A driver that answers as told. It fills in the number of cards as CUDA's does."""

    def __init__(self, error: int, cards: int) -> None:
        self._error, self._cards = error, cards

    def cuInit(self, flags: int) -> int:
        assert flags == 0
        return self._error

    def cuDeviceGetCount(self, count: object) -> int:
        ctypes.cast(count, ctypes.POINTER(ctypes.c_int))[0] = self._cards  # type: ignore[arg-type]
        return 0


@pytest.mark.parametrize(
    "error, cards, words",
    [
        (0, 1, ""),
        (0, 0, "NVIDIA's driver finds no card"),
        (100, 0, "NVIDIA's driver finds no card"),
        (803, 0, "NVIDIA's driver answers with CUDA error 803"),
    ],
)
def test_the_driver_is_asked(monkeypatch: pytest.MonkeyPatch, error: int, cards: int, words: str) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(error, cards))
    assert why_no_card() == words


def test_without_a_driver_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert why_no_card().startswith("no NVIDIA driver (")
