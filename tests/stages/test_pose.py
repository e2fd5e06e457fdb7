"""MediaPipe's pose networks: on the sample clip, which everybody has, and beside YOLOv5 and RVM on real footage."""

from pathlib import Path

import numpy as np
import pytest

from stylizer.config import Settings
from stylizer.engines.openvino import OpenVinoEngine
from stylizer.errors import ModelRejected
from stylizer.frame import PixelsU8
from stylizer.media import Reader
from stylizer.stages.box import iou
from stylizer.stages.crop import cut, square_around
from stylizer.stages.detect import load_detector
from stylizer.stages.matte import RvmMatte, View
from stylizer.stages.pose import PoseDetector, PoseMatte
from stylizer.styles import CLIP
from stylizer.weights.registry import Registry
from tests.conftest import Finder


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> OpenVinoEngine:
    return OpenVinoEngine(2, tmp_path_factory.mktemp("openvino"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(Settings.load(models=(), cache=tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def detector(engine: OpenVinoEngine, registry: Registry) -> PoseDetector:
    return PoseDetector.load(registry.find("pose").path, engine)


@pytest.fixture(scope="module")
def matte(engine: OpenVinoEngine, registry: Registry) -> PoseMatte:
    return PoseMatte.load(registry.find("silhouette").path, engine)


def _frames(film: Path, every: int, count: int) -> list[PixelsU8]:
    with Reader(film) as reader:
        return [frame.pixels for i, frame in enumerate(reader) if i % every == 0 and i < every * count]


def test_the_dancer_of_the_sample_clip_is_found_and_cut_out(detector: PoseDetector, matte: PoseMatte) -> None:
    for pixels in _frames(CLIP, 24, 4):  # then the camera comes near
        (person,) = detector(pixels)
        size = pixels.shape[1], pixels.shape[0]
        box = square_around(person.box, None, size)
        _, alpha, _ = matte(cut(pixels, box), [None], [View(pixels, box)])
        share = float((alpha > 0.5).float().mean())
        assert 0.05 < share < 0.5, "a standing figure fills that much of its square"
        rows = np.flatnonzero((alpha[0, 0].numpy() > 0.5).any(1))
        assert rows[-1] - rows[0] > 0.7 * 256, "from head to foot"


def test_nobody_is_found_in_noise(detector: PoseDetector) -> None:
    assert detector(np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)) == []


def test_on_footage_it_agrees_with_the_first_rungs(
    detector: PoseDetector, matte: PoseMatte, engine: OpenVinoEngine, weights: Finder, media: Finder
) -> None:
    yolo = load_detector(weights("yolov5n_fp16.onnx"), engine)
    rvm = RvmMatte.load(weights("derived/rvm_mobilenetv3_fp32.onnx"), engine)
    boxes, mattes = [], []
    for pixels in _frames(media("sam2_juggle.mp4"), 60, 4):
        body = yolo(pixels)[0].box
        boxes.append(iou(detector(pixels)[0].box, body))
        box = square_around(body, None, (pixels.shape[1], pixels.shape[0]))
        crop, view = cut(pixels, box), View(pixels, box)
        memory = None
        for _ in range(3):  # RVM settles on a still
            _, theirs, (memory,) = rvm(crop, [memory], [view])
        _, ours, _ = matte(crop, [None], [view])
        both, either = ((ours > 0.5) & (theirs > 0.5)).sum(), ((ours > 0.5) | (theirs > 0.5)).sum()
        mattes.append(float(both / either))
    assert min(boxes) > 0.6, boxes
    assert float(np.mean(mattes)) > 0.88, mattes


def test_another_network_is_refused_by_name(engine: OpenVinoEngine, registry: Registry) -> None:
    with pytest.raises(ModelRejected, match=r"pose_landmark_full\.tflite"):
        PoseDetector.load(registry.find("silhouette").path, engine)
