"""What the benchmark says without a GPU, and the floors that it compares with."""

import sys

import pytest

from kernels import bench, check
from kernels.roofline import DATA_SHEETS, Peaks, layer_floor_us, network_floor_us, weight_bytes
from kernels.weights import unet_layers


@pytest.mark.skipif(check.has_gpu(), reason="there is a GPU here")
@pytest.mark.parametrize("main", [bench.main, check.main])
def test_without_a_gpu_it_says_so_and_exits_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], main: object
) -> None:
    monkeypatch.setattr(sys, "argv", ["kernels"])
    assert callable(main)
    assert main() == 3
    assert "no CUDA device" in capsys.readouterr().err


@pytest.mark.gpu
def test_every_check_holds_on_this_card() -> None:
    assert check.run_checks(16)


def test_floors_of_the_data_sheets() -> None:
    layers = unet_layers(64)
    assert network_floor_us(layers, DATA_SHEETS["H200"]) == pytest.approx(26, abs=1)
    assert network_floor_us(layers, DATA_SHEETS["T4"]) == pytest.approx(386, abs=5)


def test_a_layer_is_bound_by_the_slower_of_bytes_and_arithmetic() -> None:
    layer = unet_layers(64)[2]
    assert layer_floor_us(layer, Peaks(1e12, 1.0)) == 2 * layer.multiply_adds
    assert layer_floor_us(layer, Peaks(1.0, 1e12)) > weight_bytes(layer) == 2 * 16 * 128 * 256


def test_folding_takes_a_quarter_of_the_weights_off_each_picture() -> None:
    layers = unet_layers(64)
    kept, whole = (sum(weight_bytes(layer, folded=f) for layer in layers) / 1e6 for f in (True, False))
    assert whole == pytest.approx(108.8, abs=0.1) and kept == pytest.approx(83.7, abs=0.2)
