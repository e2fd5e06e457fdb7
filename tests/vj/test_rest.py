"""A fader that rests runs compiled: a wide model in int8 once it has been quantised, all else in floating point."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from kernels.weights import random_weights
from stylizer.convert.pix2pix import Unet256
from stylizer.convert.pix2pix_int8 import float_unet, int8_path, int8_unet
from stylizer.vj.rest import Rest
from tests.conftest import Rng

ENDS_WHILE_COMPILING = """
import threading, time
from kernels.weights import random_weights
from stylizer.convert import pix2pix_int8
from stylizer.vj.rest import Rest

begun, compiled = threading.Event(), pix2pix_int8._compiled
def noted(*parts):
    begun.set()
    return compiled(*parts)
pix2pix_int8._compiled = noted
Rest(2, None, wait=False).run("a", lambda: random_weights(16), own=True)
assert begun.wait(60)
time.sleep(0.05)
"""


def test_a_process_may_end_while_a_network_is_compiled() -> None:
    """OpenVINO ends such a process by SIGABRT where the thread is a daemon."""
    child = subprocess.run([sys.executable, "-c", ENDS_WHILE_COMPILING], capture_output=True, text=True, timeout=120)
    assert child.returncode == 0, child.stderr


def test_a_quantised_network_takes_over_however_busy_the_compiler_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the show: it waits for the compiler, and what ran in floating point is replaced."""
    weights = random_weights(2)
    monkeypatch.setattr("stylizer.vj.rest.WIDE", 2)
    monkeypatch.setattr("stylizer.vj.rest.quantize_apart", lambda weights, cache: None)
    quantised = iter([None, lambda picture: picture])  # not there yet when the show begins
    monkeypatch.setattr("stylizer.vj.rest.int8_unet", lambda weights, threads, cache: next(quantised))
    rest = Rest(1, tmp_path, wait=False)
    picture = np.zeros((1, 3, 256, 256), np.float32)
    assert rest.run("own", lambda: weights, own=True) is None
    end = time.monotonic() + 60
    while (run := rest.run("own", lambda: weights, own=True)) is None or run(picture) is not picture:
        assert time.monotonic() < end, "the quantised network never came"
        time.sleep(0.01)


def test_a_network_that_cannot_be_compiled_is_not_tried_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def full(weights: object, threads: int) -> None:
        tried.append(threads)
        raise OSError("No space left on device")

    monkeypatch.setattr("stylizer.vj.rest.float_unet", full)
    rest = Rest(1, None, wait=False)
    for _ in range(20):
        assert rest.run("a", lambda: random_weights(2), own=True) is None
        time.sleep(0.02)
    assert tried == [1]
    with pytest.raises(OSError, match="No space"):
        Rest(1, None, wait=True).run("a", lambda: random_weights(2), own=True)


@pytest.mark.slow
def test_a_wide_model_is_quantised_once_and_then_runs_in_int8(
    tmp_path: Path, rng: Rng, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two filters stand for 48: the way is the same and takes seconds. Off-line the quantising is waited for."""
    monkeypatch.setattr("stylizer.vj.rest.WIDE", 2)
    monkeypatch.setattr("stylizer.convert.pix2pix_int8.LEAST_PSNR_DB", 0.0)  # made-up weights suffer more
    weights = {n: w * 10 if n.endswith("kernel") else w for n, w in random_weights(2).items()}
    picture = rng.unit_f32(1, 3, 256, 256)
    rest = Rest(1, tmp_path, wait=True)
    mixed = rest.run("mixed", lambda: weights, own=False)
    assert mixed is not None and not int8_path(weights, tmp_path).exists(), "a mixture is not worth half a minute"
    own = rest.run("own", lambda: weights, own=True)
    kept = int8_unet(weights, 1, tmp_path)
    assert own is not None and kept is not None
    drawn = own(picture).copy()
    assert np.array_equal(drawn, kept(picture))
    assert not np.array_equal(drawn, float_unet(weights, 1)(picture))
    with torch.inference_mode():
        error = np.abs(drawn - Unet256.from_weights(weights)(torch.from_numpy(picture)).numpy()).mean()
    assert error < 0.05  # of 1
    again = Rest(1, tmp_path, wait=True)
    monkeypatch.setattr("stylizer.vj.rest.quantize_apart", None)  # a second start quantises nothing
    found = again.run("own", lambda: weights, own=True)
    assert found is not None and np.array_equal(found(picture), drawn)
    monkeypatch.setattr("stylizer.convert.pix2pix_int8.LEAST_PSNR_DB", 100.0)
    assert int8_unet(weights, 1, tmp_path) is None, "what would be seen is not played"


def test_a_cache_that_cannot_be_written_leaves_a_wide_model_in_floating_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stylizer.vj.rest.WIDE", 2)
    taken = tmp_path / "cache"
    taken.write_text("a file where the folder should be")
    weights = random_weights(2)
    run = Rest(1, taken / "openvino", wait=True).run("own", lambda: weights, own=True)
    assert run is not None
    assert "stays in floating point" in capsys.readouterr().err
