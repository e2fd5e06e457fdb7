"""What is kept between two starts is broken, gone, or cannot be written: networks run all the same."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch
from openvino import opset13 as op
from torch import Tensor, nn

from stylizer.engines.openvino import OpenVinoEngine
from stylizer.engines.torch_eager import TorchEngine

ONE = (torch.full((1, 8), 2.0),)


class Exporter:
    """`export` without its process of 5 s: writes weights times x."""

    def __init__(self) -> None:
        self.written: list[Path] = []

    def __call__(self, net: nn.Module, example: tuple[Tensor, ...], target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        x = op.parameter([1, 8], np.float32)
        ov.save_model(ov.Model([x * op.constant(np.full((1, 8), 3, np.float32))], [x]), target)
        self.written.append(target)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Exporter:
    exporter = Exporter()
    monkeypatch.setattr("stylizer.engines.openvino.export", exporter)
    return exporter


def result(cache: Path) -> list[float]:
    (y,) = OpenVinoEngine(1, cache).compile(nn.Linear(8, 8), ONE)(*ONE)
    return sorted(set(y.flatten().tolist()))


@pytest.mark.parametrize("suffix, left", [(".xml", 0), (".xml", 300), (".bin", 0), (".bin", 7), (".bin", None)])
def test_a_kept_network_that_is_not_whole_is_converted_anew(
    exporter: Exporter, tmp_path: Path, suffix: str, left: int | None
) -> None:
    """left: bytes of the file, as after a power cut; None: a cleaner took it."""
    torch.manual_seed(0)
    assert result(tmp_path) == [6.0] and len(exporter.written) == 1
    file = exporter.written[0].with_suffix(suffix)
    if left is None:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:left])
    torch.manual_seed(0)
    assert result(tmp_path) == [6.0] and len(exporter.written) == 2
    torch.manual_seed(0)
    assert result(tmp_path) == [6.0] and len(exporter.written) == 2, "what was made anew is kept"


def test_where_nothing_can_be_kept_networks_run_and_a_line_says_so(
    exporter: Exporter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "cache"
    taken.write_text("a file where the folder should be")
    assert result(taken / "openvino") == [6.0]
    said = capsys.readouterr().err
    assert "compiled networks cannot be kept" in said and "a converted network cannot be kept" in said
    assert str(taken) in said
    assert not exporter.written[0].exists(), "the temporary folder is gone"


def test_the_reference_engine_needs_no_cache_either(tmp_path: Path) -> None:
    taken = tmp_path / "cache"
    taken.write_text("")
    x = op.parameter([1, 8], np.float32)
    ov.save_model(ov.Model([op.abs(x)], [x]), tmp_path / "abs.xml")
    net = TorchEngine(torch.device("cpu"), 1, taken / "openvino").read(tmp_path / "abs.xml")
    (y,) = net(**{net.inputs[0]: -ONE[0]}).values()
    assert torch.equal(y, ONE[0])
