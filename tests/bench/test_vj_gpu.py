"""What is measured of VJ mode on a card: its comparison works on the emulator, its goals are counted right."""

import sys

import pytest
import torch

from kernels.check import has_gpu
from kernels.weights import random_weights
from stylizer.bench import vj_gpu
from stylizer.vj.bank import Model
from stylizer.vj.cupy_way import CupyWay
from tests.kernels.emulator import require_emulator
from tests.kernels.emulator.machine import EmulatedCard


def test_the_card_is_compared_with_the_cpu() -> None:
    require_emulator()
    a, b = (Model(str(seed), 16, random_weights(16, seed)) for seed in (1, 2))
    with torch.inference_mode():
        assert vj_gpu.worst_db(CupyWay(EmulatedCard, wait=True), (a, b), steps=2) >= vj_gpu.LEAST_DB


def test_goals_are_shares_of_the_networks_time() -> None:
    good = {"network": 100.0, "loop": 120.0, "loop, fader moving": 150.0}
    assert vj_gpu.missed(35.0, good) == []
    assert vj_gpu.missed(34.9, good) == ["the card draws what the CPU draws: 34.9 dB, at least 35"]
    slow = vj_gpu.missed(60.0, {"network": 100.0, "loop": 121.0, "loop, fader moving": 152.0})
    assert slow == ["the loop adds 21%, at most 20%", "a moving fader adds 31%, at most 30%"]


@pytest.mark.skipif(has_gpu(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so_and_exits_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vj_gpu"])
    assert vj_gpu.main() == 3
    assert "no CUDA device" in capsys.readouterr().err


@pytest.mark.gpu
def test_a_show_on_this_card_meets_its_goals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["vj_gpu"])
    assert vj_gpu.main() == 0
