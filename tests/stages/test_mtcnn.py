"""Our MTCNN against the one it takes its weights from."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from stylizer.picture import read_picture
from stylizer.stages.box import Box, distinct, iou
from stylizer.stages.face import MIN_FACE_PX, THRESHOLDS
from stylizer.stages.mtcnn import Mtcnn
from tests.conftest import Finder, Rng


@pytest.mark.parametrize("name, faces", [("zidane.jpg", 2), ("multiface.jpg", 6)])
def test_it_finds_what_facenet_pytorch_finds(name: str, faces: int, media: Finder) -> None:
    from facenet_pytorch import MTCNN

    whole = read_picture(media(name))
    pixels = cv2.resize(whole, (480, round(480 * whole.shape[0] / whole.shape[1])), interpolation=cv2.INTER_AREA)
    reference = MTCNN(keep_all=True, min_face_size=MIN_FACE_PX, thresholds=THRESHOLDS)
    wanted, likely = reference.detect(pixels)
    boxes, scores = Mtcnn(MIN_FACE_PX, THRESHOLDS, torch.device("cpu"))(pixels)
    assert len(boxes) == len(wanted) == faces
    for box, score in zip(wanted, likely, strict=True):
        best = max(range(faces), key=lambda i: iou(Box(*boxes[i]), Box(*map(float, box))))
        np.testing.assert_allclose(boxes[best], np.asarray(box, float), atol=0.5)
        assert scores[best] == pytest.approx(score, abs=0.01)


def test_suppression_equals_torchvision_s(rng: Rng) -> None:
    from torchvision.ops import nms

    corner, size = rng.unit_f32(60, 2) * 50, rng.unit_f32(60, 2) * 40 + 1
    boxes, scores = np.hstack([corner, corner + size]), rng.unit_f32(60)
    wanted = nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4).tolist()
    assert distinct(boxes, scores, 0.4) == wanted and 5 < len(wanted) < 60


def test_a_small_box_within_a_large_one_goes_only_by_the_smaller_s_measure() -> None:
    boxes = np.array([[0, 0, 40, 40], [10, 10, 20, 20]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    assert distinct(boxes, scores, 0.7) == [0, 1]
    assert distinct(boxes, scores, 0.7, of_smaller=True) == [0]
    assert distinct(boxes[:0], scores[:0], 0.7) == []


def test_a_worker_starts_without_torchvision() -> None:
    """Importing it takes 4 s and 160 MB, more than all networks here together."""
    code = "import sys, stylizer.pipeline; print([m for m in ('torchvision', 'ultralytics') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
