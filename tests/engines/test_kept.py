"""What is kept between two starts is broken, gone, or cannot be written: networks run all the same."""

import os
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch
from openvino import opset13 as op
from torch import Tensor, nn

from stylizer.engines.kept import trim
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


def test_a_cache_that_may_not_be_looked_into_ends_no_start(exporter: Exporter) -> None:
    """As one of another user; this one's name is too long for everybody."""
    assert result(Path("/" + "x" * 300)) == [6.0]


def test_the_reference_engine_needs_no_cache_either(tmp_path: Path) -> None:
    taken = tmp_path / "cache"
    taken.write_text("")
    x = op.parameter([1, 8], np.float32)
    ov.save_model(ov.Model([op.abs(x)], [x]), tmp_path / "abs.xml")
    net = TorchEngine(torch.device("cpu"), 1, taken / "openvino").read(tmp_path / "abs.xml")
    (y,) = net(**{net.inputs[0]: -ONE[0]}).values()
    assert torch.equal(y, ONE[0])


def test_what_nobody_used_for_longest_makes_room(tmp_path: Path) -> None:
    for name, made, read in [("a", 10, 50), ("b", 20, 20), ("c", 30, 30), ("d", 40, 0)]:
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (read, made))
    (tmp_path / "folder").mkdir()
    trim(tmp_path, 400)
    assert len(list(tmp_path.iterdir())) == 5
    trim(tmp_path, 299)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "d", "folder"}
    trim(tmp_path / "none", 0)


def test_a_slider_does_not_fill_the_disk(exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every strength that it rests at is another network."""
    monkeypatch.setattr("stylizer.engines.kept.trim.__defaults__", (20_000,))
    for _ in range(12):
        assert result(tmp_path) == [6.0]
    assert len(exporter.written) == 12
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000
