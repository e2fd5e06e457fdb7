"""What runs when something is missing, said aloud."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from stylizer import engines, ladder
from stylizer.config import Device, EngineName, Settings
from stylizer.errors import Unavailable
from stylizer.ladder import Parts, open_parts
from stylizer.picture import read_picture
from stylizer.stages.box import Box
from stylizer.stages.face import HeadFinder
from stylizer.stages.matte import View
from stylizer.weights import registry
from tests.conftest import Finder


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.fixture
def fresh(tmp_path: Path) -> Parts:
    """A machine on which nothing was pulled."""
    return open_parts(Settings.load(models=(), cache=tmp_path, device=Device.CPU, threads=1))


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """The same without the package that brings the pose networks."""
    monkeypatch.setattr(registry, "_brought_by", lambda package: tmp_path / package)
    return open_parts(Settings.load(models=(), cache=tmp_path, device=Device.CPU, threads=1))


def test_without_weights_the_pose_networks_of_a_package_stand_in(fresh: Parts) -> None:
    rungs = {rung.part: rung for rung in fresh.rungs}
    assert "MediaPipe pose" in rungs["person"].standing and "models pull person" in rungs["person"].why
    assert "MediaPipe pose" in rungs["matte"].standing and "models pull matte" in rungs["matte"].why


def test_without_that_package_each_part_stands_on_the_lowest_rung_and_says_why(bare: Parts) -> None:
    rungs = {rung.part: rung for rung in bare.rungs}
    assert "MTCNN" in rungs["person"].standing and "person" in rungs["person"].why
    assert "subtraction" in rungs["matte"].standing
    assert all(word in rungs["matte"].why for word in ("matte", "segmentation", "the package mediapipe brings it"))


def test_the_lowest_rungs_run(bare: Parts) -> None:
    grey = np.full((120, 160, 3), 90, np.uint8)
    (anybody,) = bare.look(grey)  # nobody is known to be there, so the whole frame is taken
    assert anybody.box == Box(0, 0, 160, 120)
    crops, box = torch.full((1, 3, 256, 256), 0.35), Box(0, 0, 120, 120)
    foreground, alpha, states = bare.matte(crops, [None], [View(grey, box)])
    assert foreground.shape == (1, 3, 256, 256) and alpha.shape == (1, 1, 256, 256) and len(states) == 1


def test_small_steps_keep_to_one_thread(bare: Parts) -> None:
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)


def test_a_face_stands_for_its_body_when_there_is_no_detector(bare: Parts, media: Finder) -> None:
    (person,) = bare.look(read_picture(media("zidane.jpg")).copy())
    assert person.box.y1 == 720  # the body reaches the lower edge
    assert person.box.x0 < 985 < person.box.x1  # under the face of the man on the right


def test_real_weights_stand_on_the_first_rung(weights: Finder, tmp_path: Path) -> None:
    folder = weights("yolov5n_fp16.onnx").parent
    parts = open_parts(
        Settings.load(models=(folder, folder / "derived"), cache=tmp_path, engine=EngineName.OPENVINO, threads=1)
    )
    rungs = {rung.part: rung for rung in parts.rungs}
    assert "YOLOv5" in rungs["person"].standing and not rungs["person"].why
    assert "RobustVideoMatting" in rungs["matte"].standing and not rungs["matte"].why


def test_a_card_that_does_not_bear_the_networks_leaves_all_to_the_cpu_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_a_full_card(monkeypatch)
    parts = open_parts(Settings.load(models=(), cache=tmp_path, threads=1))
    rungs = {rung.part: rung for rung in parts.rungs}
    assert rungs["device"].standing.endswith("on cpu")
    assert rungs["device"].why == "the networks do not run on the card: CUDA out of memory"
    assert parts.batch == 1


def test_who_insists_on_a_card_is_told_that_it_does_not_bear_the_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_a_full_card(monkeypatch)
    with pytest.raises(Unavailable, match="CUDA out of memory"):
        open_parts(Settings.load(models=(), cache=tmp_path, device=Device.CUDA))


def _with_a_full_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def finder(device: torch.device) -> HeadFinder:
        if device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory\nsee the documentation")
        return HeadFinder(device)

    monkeypatch.setattr(engines, "why_no_cuda", lambda: "")
    monkeypatch.setattr(ladder, "HeadFinder", finder)
