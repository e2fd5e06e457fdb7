"""No step of a training mixes tensors of the card with those of the CPU: on a card that only pretends."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import torch

from stylizer.training.data.pictures import Pictures
from stylizer.training.data.store import PairStore
from stylizer.training.inversion import EncoderTrainer
from stylizer.training.next_frame import NextFrameTrainer, dream
from stylizer.training.parallel import World
from stylizer.training.stylegan2 import GanTrainer
from stylizer.training.toonify import Trainer
from stylizer.training.watch import LOOK
from tests.convert.test_toonify import TINY
from tests.pretend_card import CARD, PretendCard, without_the_cards_own
from tests.training import test_inversion, test_next_frame, test_stylegan2, test_toonify

WORLD = World(device=CARD)


class AnyTrainer(Protocol):
    done: int

    def step(self) -> dict[str, float]: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
    def samples(self, path: Path) -> None: ...


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendCard]:
    without_the_cards_own(monkeypatch)
    with PretendCard() as card:
        yield card


def pixels(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def runs(trainer: AnyTrainer, folder: Path, first: int = 0) -> None:
    for done in (*range(first, first + 6), LOOK - 1):  # some with a lazy penalty, the last one looks at the variety
        trainer.done = done
        trainer.step()
    trainer.restore(trainer.state())
    trainer.samples(folder / "samples.png")


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_generators(adaptive: bool, tmp_path: Path) -> None:
    trainer = GanTrainer(replace(test_stylegan2.TINY, adaptive=adaptive), Pictures(pixels(40, 32, 32, 4)), WORLD)
    trainer.controller.p = 0.5
    runs(trainer, tmp_path)


@pytest.mark.parametrize("details", [False, True])
def test_an_encoders(details: bool, tmp_path: Path) -> None:
    generator = test_inversion._generator(test_inversion.SMALL)
    critic = test_inversion.critic_of(generator)
    settings = replace(test_inversion.QUICK, details=details)
    runs(EncoderTrainer(settings, Pictures(pixels(40, 64, 64, 4)), generator, critic, WORLD), tmp_path)


def test_a_vj_models() -> None:
    films = [torch.zeros(6, 3, 256, 256, dtype=torch.uint8)]
    trainer = NextFrameTrainer(films, test_next_frame.PLAN, CARD)
    for _ in range(2):
        trainer.step()
    assert all(weights.shape for weights in trainer.weights().values())
    with torch.no_grad():
        assert next(iter(dream(trainer.mean, 1, seed=0))).shape == (256, 256, 3)


def test_a_styles(tmp_path: Path) -> None:
    store = PairStore(pixels(12, 256, 256, 4), pixels(12, 256, 256, 4), pixels(12, 256, 256) % 9)
    settings = replace(
        test_toonify.QUICK, adversarial_from=0, feature_gain=1.0, look_share=1.0, photo_steps=1, steps_128=3
    )
    runs(Trainer(settings, store, TINY, WORLD), tmp_path)
