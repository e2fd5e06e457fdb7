"""The compiled U-Net draws the same pictures as torch, in floating point and, calibrated on its own frames, in int8."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch

from kernels.weights import random_weights
from stylizer.convert.pix2pix import Unet256, load_unet
from stylizer.convert.pix2pix_int8 import cpu_unet, feedback_frames, int8_unet, quantize
from stylizer.convert.pix2pix_openvino import unet_model
from tests.conftest import Finder

LEAST_DB = {"fp32": 90, "bf16": 45}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_compiled_network_draws_the_same_picture(tmp_path: Path, precision: str) -> None:
    if precision == "bf16" and "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bf16 multiplication")
    network = Unet256.from_weights(random_weights(8))
    assert cpu_unet(network, precision, threads=2, cache=tmp_path).psnr_db >= LEAST_DB[precision]


def test_feedback_frames_are_pictures_of_a_living_loop() -> None:
    network = Unet256.from_weights(random_weights(4))
    frames = feedback_frames(network, 3)
    assert [tuple(f.shape) for f in frames] == [(1, 3, 256, 256)] * 3
    for frame in frames:
        assert 0 <= float(frame.min()) < float(frame.max()) <= 1
    assert not torch.equal(frames[0], frames[2])
    again = feedback_frames(network, 3)
    assert all(torch.equal(a, b) for a, b in zip(frames, again, strict=True))


@pytest.mark.slow
def test_int8_states_its_psnr_and_is_kept(weights: Finder, tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="int8 needs nncf, which is not installed")
    network = load_unet(weights("pix2pix/PixFaceLightLight.pict"))
    first = cpu_unet(network, "int8", threads=2, cache=tmp_path, frames=4)
    assert first.psnr_db >= 30  # seen: 38 dB with 24 frames
    kept = sorted(path.suffix for path in tmp_path.iterdir())
    assert kept == [".bin", ".json", ".xml"]
    second = cpu_unet(network, "int8", threads=2, cache=tmp_path, frames=4)
    assert second.psnr_db == first.psnr_db
    picture = np.full((1, 3, 256, 256), 0.5, np.float32)
    np.testing.assert_allclose(second.run(picture), first.run(picture), atol=1e-2)


@pytest.mark.parametrize("suffix, left", [(".xml", 9), (".bin", 9), (".bin", None), (".json", 0)])
def test_a_quantised_network_that_is_not_whole_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, left: int | None
) -> None:
    """left: bytes of the file, as after a power cut; None: a cleaner took it. Quantising itself takes seconds: left
    out."""
    weights = random_weights(2)
    made: list[int] = []

    def unquantised(network: Unet256, frames: int) -> object:
        made.append(frames)
        return unet_model(weights)

    monkeypatch.setattr("stylizer.convert.pix2pix_int8._quantized", unquantised)
    monkeypatch.setattr("stylizer.convert.pix2pix_int8.psnr_db", lambda network, run: 40.0)
    assert int8_unet(weights, 1, tmp_path) is None
    path = quantize(weights, tmp_path)
    assert int8_unet(weights, 1, tmp_path) is not None
    assert quantize(weights, tmp_path) == path and len(made) == 1
    broken = path.with_suffix(suffix)
    if left is None:
        broken.unlink()
    else:
        broken.write_bytes(broken.read_bytes()[:left])
    assert int8_unet(weights, 1, tmp_path) is None
    quantize(weights, tmp_path)
    assert int8_unet(weights, 1, tmp_path) is not None and len(made) == 2
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".bin", ".json", ".xml"]
