"""The converter's benchmark on a card: its judgement everywhere, its measuring where a card is."""

import sys

import pytest
import torch

from stylizer.bench import toonify_gpu
from stylizer.bench.toonify_gpu import BATCHES, db, missed


def test_each_goal_missed_is_named() -> None:
    good = {batch: {"psnr_db": 40.0, "times_eager": 2.0} for batch in BATCHES}
    assert missed(good) == []
    assert missed(good | {4: {"psnr_db": 39.9, "times_eager": 2.0}}) == [
        "batch 4: the card draws what the CPU draws: 39.9 dB, at least 40"
    ]
    assert missed(good | {1: {"psnr_db": 40.0, "times_eager": 1.5}}) == ["1.50 times torch eager in fp16, at least 2"]


def test_the_worst_output_counts() -> None:
    zero = torch.zeros(1, 3, 4, 4)
    assert db((zero, zero + 0.1), (zero, zero)) == pytest.approx(20, abs=0.01)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_without_a_card_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["toonify_gpu"])
    assert toonify_gpu.main() == 3
    assert "no CUDA device" in capsys.readouterr().err


@pytest.mark.gpu
def test_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["toonify_gpu"])
    assert toonify_gpu.main() in (0, 1)  # 1: a goal of speed is missed, which is no failure of the program
