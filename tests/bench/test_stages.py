"""Each stage's bench measures the network that the stage itself runs."""

from pathlib import Path

from stylizer.bench.stages import detector_model
from stylizer.engines.openvino import OpenVinoEngine
from stylizer.stages.detect import SIZE_PX
from tests.conftest import Finder


def test_a_detector_with_the_grid_of_another_size_is_cut_before_it(weights: Finder, tmp_path: Path) -> None:
    model = detector_model(weights("yolov5n_fp16.onnx"), OpenVinoEngine(1, tmp_path))
    cells = [SIZE_PX // stride for stride in (8, 16, 32)]
    assert [list(port.shape)[2:] for port in model.outputs] == [[cell, cell] for cell in cells]
