"""Three mattes, one interface: they find the person, and no visitor's memory reaches another's."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from stylizer.engines.openvino import OpenVinoEngine
from stylizer.errors import ModelMissing, ModelRejected, Unreadable
from stylizer.frame import PixelsU8, unit_from_u8
from stylizer.picture import read_picture
from stylizer.stages.box import Box
from stylizer.stages.crop import cut, square_around
from stylizer.stages.matte import MatteState, RvmMatte, SegmentationMatte, SubtractionMatte, View, extent, rvm_shapes
from tests.conftest import Finder, Rng

RVM = "derived/rvm_mobilenetv3_fp32.onnx"
PORTRAITS = ["p_015cd10e", "p_09ba26b4", "p_d684dae3"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> OpenVinoEngine:
    return OpenVinoEngine(2, tmp_path_factory.mktemp("openvino"))


@pytest.fixture(scope="module")
def rvm(weights: Finder, engine: OpenVinoEngine) -> RvmMatte:
    return RvmMatte.load(weights(RVM), engine)


def overlap(alpha: Tensor, truth: Tensor) -> float:
    """IoU of the halves above 0.5."""
    got, want = alpha > 0.5, truth > 0.5
    return float((got & want).sum() / (got | want).sum())


def portrait(media: Finder, name: str) -> tuple[PixelsU8, Tensor]:
    """The picture, and its published matte [1, 1, H, W]."""
    pixels = read_picture(media(f"p3m/{name}.jpg"))
    alpha = cv2.resize(read_picture(media(f"p3m/{name}_alpha.png")), pixels.shape[1::-1])
    return pixels.copy(), unit_from_u8(alpha)[:, :1]  # writable, as torch wants it


@pytest.mark.parametrize("name", PORTRAITS)
def test_rvm_s_matte_of_a_still(name: str, weights: Finder, media: Finder, engine: OpenVinoEngine) -> None:
    """Ratio 512 / longest side, third pass over the still, as the film's third frame would be."""
    pixels, truth = portrait(media, name)
    size = pixels.shape[1], pixels.shape[0]
    matte = RvmMatte.load(weights(RVM), engine, size, 512 / max(size))
    state: MatteState | None = None
    for _ in range(3):
        foreground, alpha, (state,) = matte(unit_from_u8(pixels), [state], [])
    assert overlap(alpha, truth) > 0.95
    assert 0 <= float(foreground.min()) and float(foreground.max()) <= 1


@pytest.mark.parametrize("name", PORTRAITS)
def test_rvm_s_matte_of_a_live_crop(name: str, rvm: RvmMatte, media: Finder) -> None:
    """The crop's own size and ratio, as the pipeline runs it."""
    pixels, truth = portrait(media, name)
    rows, columns = (torch.nonzero(truth[0, 0].amax(dim=d) > 0.5) for d in (1, 0))
    body = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    box = square_around(body, None, (pixels.shape[1], pixels.shape[0]))
    crop = cut(pixels, box)
    want = cut(np.repeat((truth[0, 0, :, :, None] * 255).byte().numpy(), 3, axis=2), box)[:, :1]
    y, x = torch.meshgrid(*[torch.arange(256) * box.width / 256] * 2, indexing="ij")
    inside = (box.x0 + x > 0) & (box.x0 + x < pixels.shape[1]) & (box.y0 + y > 0) & (box.y0 + y < pixels.shape[0])
    state: MatteState | None = None
    for _ in range(3):
        _, alpha, (state,) = rvm(crop, [state], [View(pixels, box)])
    assert overlap(alpha * inside, want * inside) > 0.95


def test_bf16_s_matte_is_as_good_as_fp32_s(weights: Finder, media: Finder, engine: OpenVinoEngine) -> None:
    if engine.precision != "bf16":
        pytest.skip("this processor has no bf16")
    pixels, _ = portrait(media, PORTRAITS[0])
    crop = cut(pixels, Box(0, 0, max(pixels.shape), max(pixels.shape)))
    ratio = 0.5
    shapes = rvm_shapes((256, 256), ratio)
    alphas = []
    for precision in ("bf16", "fp32"):
        net = engine.read(weights(RVM), shapes, precision, constants={"downsample_ratio": ratio})
        alphas.append(RvmMatte(net, ratio=ratio)(crop, [None], [])[1])
    assert overlap(*alphas) > 0.99
    assert float((alphas[0] - alphas[1]).abs().mean()) < 3e-3


def test_visitors_of_one_batch_have_memories_of_their_own(rvm: RvmMatte, rng: Rng) -> None:
    clips = [torch.from_numpy(rng.unit_f32(3, 1, 3, 256, 256)) for _ in range(2)]
    alone = []
    for clip in clips:
        state: MatteState | None = None
        for crop in clip:
            _, alpha, (state,) = rvm(crop, [state], [])
        alone.append(alpha)
    states: list[MatteState | None] = [None, None]
    for pair in zip(*clips, strict=True):
        _, together, after = rvm(torch.cat(pair), states, [])
        states = list(after)
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=0)


def test_a_dropped_state_is_a_fresh_start(rvm: RvmMatte, rng: Rng) -> None:
    crop, other = (torch.from_numpy(rng.unit_f32(1, 3, 256, 256)) for _ in range(2))
    _, first, _ = rvm(crop, [None], [])
    _, _, (state,) = rvm(other, [None], [])
    _, with_memory, _ = rvm(crop, [state], [])
    _, again, _ = rvm(crop, [None], [])
    assert torch.equal(first, again)
    assert not torch.equal(first, with_memory)


@pytest.mark.parametrize("name", PORTRAITS)
def test_the_small_segmentation_finds_a_portrait(
    name: str, weights: Finder, media: Finder, engine: OpenVinoEngine
) -> None:
    pixels, truth = portrait(media, name)
    matte = SegmentationMatte.load(weights("selfie_segmentation.onnx"), engine)
    small = torch.nn.functional.interpolate(unit_from_u8(pixels), (320, 240), mode="area")
    foreground, alpha, _ = matte(torch.cat([small, small.flip(3)]), [None, None], [])
    assert alpha.shape == (2, 1, 320, 240) and torch.equal(foreground[:1], small)
    assert overlap(alpha[:1], torch.nn.functional.interpolate(truth, (320, 240), mode="area")) > 0.85


def walker(step: int, rng: Rng) -> tuple[PixelsU8, Tensor]:
    """A bright block that walks through a textured, slightly noisy room, and where it is, [1, 1, 240, 320]."""
    y, x = np.mgrid[:240, :320]
    room = 90 + 30 * np.sin(x / 9) * np.cos(y / 7) + rng.numpy.normal(0, 2, (240, 320))
    pixels = np.repeat(room[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)
    truth = torch.zeros(1, 1, 240, 320)
    if step > 0:
        pixels[60:200, 8 * step : 8 * step + 50] = (220, 200, 60)
        truth[..., 60:200, 8 * step : 8 * step + 50] = 1
    return pixels, truth


@pytest.mark.parametrize("with_plate", [False, True])
def test_subtraction_finds_whoever_walks_in(with_plate: bool, rng: Rng) -> None:
    matte = SubtractionMatte(walker(0, rng)[0] if with_plate else None)
    box = Box(0, 0, 320, 320)
    state: MatteState | None = None
    for step in [0] * 20 + list(range(1, 20)):
        pixels, truth = walker(step, rng)
        crop = cut(pixels, box, 128)
        foreground, alpha, (state,) = matte(crop, [state], [View(pixels, box)])
    want = cut(np.repeat((truth[0, 0, :, :, None] * 255).byte().numpy(), 3, axis=2), box, 128)[:, :1]
    assert overlap(alpha[..., :90, :], want[..., :90, :]) > 0.9  # below row 96 the crop leaves the frame
    assert torch.equal(foreground, crop)


def test_subtraction_with_a_clean_plate_of_a_real_room(media: Finder) -> None:
    pixels, plate = (read_picture(media(f"background_matting/0001_{name}.png")) for name in ("img", "back"))
    box = Box(0, 0, 1920, 1920)
    _, alpha, _ = SubtractionMatte(plate)(cut(pixels, box), [None], [View(pixels, box)])
    share = float((alpha[..., :144, :] > 0.5).float().mean())
    assert 0.1 < share < 0.6  # some of the person, not the whole room


def test_subtraction_learns_each_visitor_s_room_apart(rng: Rng) -> None:
    matte = SubtractionMatte()
    dark, light = np.full((60, 80, 3), 30, np.uint8), np.full((60, 80, 3), 200, np.uint8)
    box = Box(0, 0, 60, 60)
    crops = torch.cat([cut(dark, box, 64), cut(light, box, 64)])
    states: list[MatteState | None] = [None, None]
    for _ in range(5):
        _, alpha, after = matte(crops, states, [View(dark, box), View(light, box)])
        states = list(after)
    assert float(alpha.max()) == 0
    _, alpha, _ = matte(crops, [states[1], states[0]], [View(dark, box), View(light, box)])
    assert float(alpha.min()) > 0.9  # the other's memory would show at once


def test_a_new_frame_size_starts_the_room_anew() -> None:
    matte, box = SubtractionMatte(), Box(0, 0, 60, 60)
    _, _, (state,) = matte(torch.zeros(1, 3, 32, 32), [None], [View(np.zeros((60, 80, 3), np.uint8), box)])
    _, _, (after,) = matte(torch.zeros(1, 3, 32, 32), [state], [View(np.zeros((80, 60, 3), np.uint8), box)])
    assert after is not state


@pytest.mark.parametrize("load", [RvmMatte.load, SegmentationMatte.load])
def test_wrong_files_are_named(load: object, tmp_path: Path, weights: Finder, engine: OpenVinoEngine) -> None:
    assert callable(load)
    with pytest.raises(ModelMissing, match=r"none\.onnx"):
        load(tmp_path / "none.onnx", engine)
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(Unreadable, match=r"junk\.onnx"):
        load(tmp_path / "junk.onnx", engine)
    with pytest.raises(ModelRejected, match="yolov5n"):
        load(weights("yolov5n_fp16.onnx"), engine)


def test_the_extent_is_the_box_of_the_person_without_specks() -> None:
    alpha = torch.zeros(1, 1, 64, 64)
    assert extent(alpha, Box(0, 0, 64, 64)) is None
    alpha[0, 0, 10:50, 20:30] = 0.9
    alpha[0, 0, 5, 60] = 1  # a speck
    assert extent(alpha, Box(100, 200, 228, 328)) == Box(140, 220, 160, 300)
