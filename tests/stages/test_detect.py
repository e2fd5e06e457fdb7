"""Both heads of YOLOv5 are read as their makers read them, and no checkpoint runs code of its own."""

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from stylizer.engines.openvino import OpenVinoEngine
from stylizer.engines.torch_eager import TorchEngine
from stylizer.errors import ModelMissing, ModelRejected, Unreadable
from stylizer.frame import PixelsU8
from stylizer.picture import read_picture
from stylizer.stages.box import Box, iou
from stylizer.stages.detect import (
    ANCHORS_PX,
    RAW_MAPS,
    PersonDetector,
    letterbox,
    load_detector,
    persons,
    persons_of_maps,
    pick,
)
from stylizer.stages.yolo_checkpoint import _ultralytics, anchor_free
from tests.conftest import Finder, Rng

CPU = torch.device("cpu")


@pytest.fixture
def reference(tmp_path: Path) -> TorchEngine:
    return TorchEngine(CPU, 1, tmp_path)


@pytest.fixture(scope="module")
def openvino(tmp_path_factory: pytest.TempPathFactory) -> OpenVinoEngine:
    return OpenVinoEngine(2, tmp_path_factory.mktemp("openvino"))


def random_network() -> Any:
    """ultralytics' own yolov5n with random weights, its norms set to what passes through, so that scores differ."""
    _, tasks, _ = _ultralytics()
    torch.manual_seed(0)
    net = tasks.DetectionModel("yolov5n.yaml", verbose=False)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    for branch in net.model[-1].cv3:
        nn.init.normal_(branch[-1].weight, std=0.5)
        nn.init.zeros_(branch[-1].bias)
    with torch.no_grad():
        net.train()(torch.rand(2, 3, 128, 128))
    return net.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as ultralytics writes it: the network in half precision among what training noted down."""
    path = tmp_path_factory.mktemp("checkpoint") / "yolov5nu.pt"
    notes = {"epoch": -1, "best_fitness": np.float64(0.3), "ema": None, "train_args": {"imgsz": 640}, "date": "2026"}
    torch.save({"model": random_network().half(), **notes}, path)
    return path


def picture(rng: Rng) -> PixelsU8:
    soft: PixelsU8 = cv2.resize(rng.pixels_u8(9, 16, 3), (320, 180), interpolation=cv2.INTER_CUBIC)
    return soft


def test_a_checkpoint_gives_ultralytics_own_boxes(checkpoint: Path, reference: TorchEngine, rng: Rng) -> None:
    import torchvision  # noqa: F401  ultralytics then suppresses with it, else by an approximation of its own
    from ultralytics.utils.nms import non_max_suppression
    from ultralytics.utils.ops import scale_boxes

    pixels = picture(rng)
    detector = load_detector(checkpoint, reference, 320)
    square, *_ = letterbox(pixels, 320)
    net = random_network().half().float()
    with torch.no_grad():
        output, _ = net(torch.from_numpy(square).permute(2, 0, 1)[None] / 255)
    detector.min_score = threshold = float(output[0, 4].quantile(0.9))
    (wanted,) = non_max_suppression(output, threshold, 0.45, classes=[0], multi_label=True, max_det=10_000)
    wanted[:, :4] = scale_boxes((320, 320), wanted[:, :4], pixels.shape)
    wanted = wanted[(wanted[:, 2:4] > wanted[:, :2]).all(1)]  # some lie in the grey beside the picture
    found = detector(pixels)
    assert len(found) == len(wanted) > 5
    for got, want in zip(found, wanted.tolist(), strict=True):
        assert got.score == pytest.approx(want[4], abs=1e-5)
        assert got.box == pytest.approx(Box(*want[:4]), abs=0.01)  # px; both clip to the frame


def test_a_checkpoint_runs_on_openvino_too(checkpoint: Path, openvino: OpenVinoEngine, rng: Rng) -> None:
    example = torch.zeros(1, 3, 128, 128)
    crop = torch.from_numpy(rng.unit_f32(1, 3, 128, 128))
    net = anchor_free(checkpoint, example)
    (got,) = openvino.compile(net, (example,))(crop)
    with torch.no_grad():
        want = net(crop)
    assert got.shape == want.shape
    # bf16 keeps 8 bits: boxes within 2 px of 128, scores within 0.05
    assert float((got[:, :4] - want[:, :4]).abs().median()) < 2
    assert float((got[:, 4:] - want[:, 4:]).abs().median()) < 0.05


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_malicious_checkpoint_is_refused_and_does_nothing(tmp_path: Path, reference: TorchEngine) -> None:
    mark = tmp_path / "exploded"
    for name, content in {"bare": Bomb(mark), "hidden": {"model": Bomb(mark), "ema": None}}.items():
        path = tmp_path / f"{name}.pt"
        torch.save(content, path)
        with pytest.raises(ModelRejected, match=r"mkdir"):
            load_detector(path, reference)
    assert not mark.exists()


def test_a_class_outside_the_list_is_refused_by_name(tmp_path: Path, reference: TorchEngine) -> None:
    path = tmp_path / "other.pt"
    torch.save({"model": nn.LSTM(2, 2)}, path)
    with pytest.raises(ModelRejected, match="LSTM"):
        load_detector(path, reference)


def test_broken_files_are_named(tmp_path: Path, reference: TorchEngine, checkpoint: Path) -> None:
    with pytest.raises(ModelMissing, match=r"absent\.pt"):
        load_detector(tmp_path / "absent.pt", reference)
    torn = tmp_path / "torn.pt"
    torn.write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(Unreadable, match=r"torn\.pt"):
        load_detector(torn, reference)
    tensors = tmp_path / "tensors.pt"
    torch.save({"weight": torch.zeros(3)}, tensors)
    with pytest.raises(ModelRejected, match="NoneType"):
        load_detector(tensors, reference)
    assert zipfile.is_zipfile(tensors) and pickle.DEFAULT_PROTOCOL  # it was a sound file of another content


@pytest.mark.parametrize("size", [0, 31, 100])
def test_sizes_that_the_strides_do_not_divide_are_refused(size: int, tmp_path: Path, reference: TorchEngine) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        load_detector(tmp_path / "any.pt", reference, size)


def test_ultralytics_is_kept_quiet_offline_and_out_of_the_home_folder() -> None:
    _, _, utils = _ultralytics()
    assert not utils.AUTOINSTALL
    assert not utils.is_online()
    assert Path.home() not in Path(utils.SETTINGS_FILE).parents


def persons_of_maps_ref(maps: list[Tensor]) -> list[list[float]]:
    """Cell by cell, as YOLOv5's head is described in its paper's terms."""
    rows = []
    for raw, (stride, anchors) in zip(maps, ANCHORS_PX.items(), strict=True):
        values = raw.sigmoid()
        for a, (width, height) in enumerate(anchors):
            for y in range(raw.shape[2]):
                for x in range(raw.shape[3]):
                    tx, ty, tw, th, seen, person = values[0, 85 * a : 85 * a + 6, y, x].tolist()
                    centre = [(2 * tx - 0.5 + x) * stride, (2 * ty - 0.5 + y) * stride]
                    rows.append([*centre, width * (2 * tw) ** 2, height * (2 * th) ** 2, seen * person])
    return rows


def test_raw_maps_decode_as_the_reference_does(rng: Rng) -> None:
    maps = [torch.from_numpy(rng.normal_f32(1, 255, 96 // s, 64 // s)) for s in ANCHORS_PX]
    torch.testing.assert_close(persons_of_maps(maps), torch.tensor(persons_of_maps_ref(maps)), rtol=1e-5, atol=1e-4)


def test_only_persons_above_the_score_remain_and_each_once() -> None:
    rows = torch.tensor([[50, 50, 20, 40, 0.9], [51, 50, 20, 40, 0.8], [150, 50, 20, 40, 0.7], [9, 9, 5, 5, 0.1]])
    boxes, scores = pick(rows, 0.4)
    assert boxes.tolist() == [[40, 30, 60, 70], [140, 30, 160, 70]]
    assert scores.tolist() == pytest.approx([0.9, 0.7])


def test_a_box_beside_the_frame_is_nobody() -> None:
    """Of a frame as wide as this most of the square is grey; a box without area would divide the tracker by zero."""
    rows = torch.tensor([[160.0, 60, 100, 100, 0.9], [160, 150, 20, 30, 0.8]])
    (found,) = PersonDetector(lambda picture: rows, 320)(np.zeros((32, 320, 3), np.uint8))
    assert found.box == Box(150, 0, 170, 21)


def test_an_output_of_another_kind_is_refused() -> None:
    for shape in ((1, 84), (1, 80, 100), (1, 100, 6)):
        with pytest.raises(ModelRejected, match="detector"):
            persons(torch.zeros(shape))


@pytest.mark.parametrize("size", [(1, 1), (3, 1000), (641, 480), (4000, 3)])
def test_boxes_come_back_in_the_frame_s_own_pixels(size: tuple[int, int], rng: Rng) -> None:
    width, height = size
    _, scale, left, top = letterbox(rng.pixels_u8(height, width, 3), 320)

    def net(square: Tensor) -> Tensor:
        """Sees one person who fills the frame."""
        w, h = width * scale, height * scale
        return torch.tensor([[left + w / 2, top + h / 2, w, h, 0.9]])

    (found,) = PersonDetector(net, 320)(rng.pixels_u8(height, width, 3))
    assert found.box == pytest.approx(Box(0, 0, width, height), abs=1e-3 * max(size))


def test_recall_on_coco(weights: Finder, media: Finder, openvino: OpenVinoEngine) -> None:
    detector = load_detector(weights("yolov5n_fp16.onnx"), openvino, 640)
    truth = json.loads(media("coco/test_coco.json").read_text())
    found = total = boxes = 0
    for image in truth["images"]:
        pixels = read_picture(media("coco") / image["file_name"])
        detections = detector(pixels)
        boxes += len(detections)
        for note in truth["annotations"]:
            if note["image_id"] == image["id"]:
                x, y, w, h = note["bbox"]
                total += 1
                found += any(iou(Box(x, y, x + w, y + h), d.box) > 0.5 for d in detections)
    assert (found, total) == (14, 14)
    assert boxes <= 15


def test_our_decoding_is_the_file_s_own(weights: Finder, media: Finder, openvino: OpenVinoEngine) -> None:
    path = weights("yolov5n_fp16.onnx")
    square, *_ = letterbox(read_picture(media("bus.jpg")), 640)
    unit = torch.from_numpy(square).permute(2, 0, 1)[None] / 255
    maps = openvino.read(path, {"images": unit.shape}, "fp32", RAW_MAPS)
    whole = openvino.read(path, {"images": unit.shape}, "fp32")
    ours = persons_of_maps(list(maps(images=unit).values()))
    theirs = persons(next(iter(whole(images=unit).values())))
    boxes, scores = pick(ours, 0.4)
    same, same_scores = pick(theirs, 0.4)
    assert len(boxes) == 3  # the fourth, cut by the frame, scores below 0.4
    torch.testing.assert_close(boxes, same, rtol=0, atol=0.7)  # px; the file rounds to fp16, steps of 0.5 at 640
    torch.testing.assert_close(scores, same_scores, rtol=0, atol=2e-3)


def test_ultralytics_leaves_the_process_as_it_was() -> None:
    """Its Image.open would try to install a package for every upload that is no picture."""
    _ultralytics()
    assert Image.open.__module__ == "PIL.Image" and torch.save.__module__ == "torch.serialization"
