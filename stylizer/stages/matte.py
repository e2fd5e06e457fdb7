"""Separates the person from the room: a matte for each crop.

`foreground` is straight (not premultiplied); `alpha` is the opacity, 1 = person. Three ways, the better first:
RobustVideoMatting, a small segmentation network, background subtraction.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stylizer.engines import ANY, Engine, OnnxNet
from stylizer.errors import ModelMissing, ModelRejected
from stylizer.frame import PixelsU8
from stylizer.stages.box import Box
from stylizer.stages.crop import SIZE_PX, cut

RVM_CHANNELS = (16, 20, 40, 64)  # of r1..r4, at 1/2, 1/4, 1/8, 1/16 of the downsampled picture
# On a full-body crop of 256 px, against the matte at 512 px and ratio 1: IoU 0.934, 0.964, 0.974 for ratios
# 0.5, 0.75, 1, in time 1 : 1.6 : 2.2. At 0.5 the arms and hands fray. bf16 equals fp32 (IoU within 0.001) in 0.65
# of its time. 0.625 leaves two cores time for 15 frames a second from file to file. On 35 frames of a juggler, in bf16:
# IoU 0.939, 0.956, 0.966, 0.964 for 0.5, 0.625, 0.75, 1; the worst frame 0.907, 0.943, 0.949, 0.898.
RVM_RATIO = 0.625
LEAST_PX = 2  # person's pixels in a row or column that counts as part of them
SUBTRACTION_PX = 320  # longest side of the frames that background subtraction sees
HISTORY_FRAMES = 1000
DIFFERENCE = 24  # levels of 255 between the room and its clean plate that noise and shadows do not reach


class MatteState:
    """What a matte remembers of one visitor between two frames. Never shared; dropping it is the reset."""


class View(NamedTuple):
    """Where a crop comes from: the frame, uint8 [H, W, 3], and the crop's box in it."""

    pixels: PixelsU8
    box: Box


class Matte(Protocol):
    """One of the ways. Immutable; serves every visitor."""

    name: str

    def __call__(
        self, crops: Tensor, states: Sequence[MatteState | None], views: Sequence[View]
    ) -> tuple[Tensor, Tensor, list[MatteState]]:
        """crops [N, 3, H, W] unit, of N visitors, with each one's state (None: the subject is new) and view.

        -> foreground [N, 3, H, W] unit, straight; alpha [N, 1, H, W] 0..1; the states to be handed in with the next
        frame. RobustVideoMatting's lie where its network runs, the others' with the crops.
        """
        ...


@dataclass(frozen=True, slots=True)
class RvmState(MatteState):
    """r1..r4, [1, C, h, w] each."""

    recurrent: tuple[Tensor, ...]


class RvmMatte:
    """RobustVideoMatting (arXiv:2108.11515) through the interface of its official ONNX files.

    On a CPU visitors go through one after the other, since a batch of N costs N times one; on a card as one batch.
    Either way each has states of their own.
    """

    name = "RobustVideoMatting"

    @classmethod
    def load(
        cls, path: Path, engine: Engine, size: tuple[int, int] = (SIZE_PX, SIZE_PX), ratio: float = RVM_RATIO
    ) -> Self:
        """From RVM's ONNX file, for crops of `size` (width, height) px, matted at `size * ratio` and refined to `size`.

        Raises ModelMissing, Unreadable, ModelRejected.
        """
        fixed = {"downsample_ratio": ratio}
        net = _read(path, engine, rvm_shapes(size, ratio), fixed)
        if net.device.type != "cpu":
            net = _read(path, engine, rvm_shapes(size, ratio, ANY), fixed)
        _expect(path, net, {"src", "r1i", "r2i", "r3i", "r4i"}, {"fgr", "pha", "r1o", "r2o", "r3o", "r4o"})
        return cls(net, size, ratio, batches=net.device.type != "cpu")

    def __init__(
        self,
        net: OnnxNet,
        size: tuple[int, int] = (SIZE_PX, SIZE_PX),
        ratio: float = RVM_RATIO,
        batches: bool = False,
    ) -> None:
        """net: inputs src and r1i..r4i of `rvm_shapes`; downsample_ratio fixed. batches: whether it was read for any
        batch."""
        self._net, self._batches, self.device = net, batches, net.device
        shapes = [shape for name, shape in rvm_shapes(size, ratio).items() if name != "src"]
        self._first = RvmState(tuple(torch.zeros(*shape, device=net.device) for shape in shapes))

    def __call__(
        self, crops: Tensor, states: Sequence[MatteState | None], views: Sequence[View]
    ) -> tuple[Tensor, Tensor, list[MatteState]]:
        before = [state if isinstance(state, RvmState) else self._first for state in states]
        if self._batches:
            together = [torch.cat(each) for each in zip(*(state.recurrent for state in before), strict=True)]
            foreground, alpha, after = self._run(crops, together)
            return foreground, alpha, [RvmState(tuple(r[i : i + 1] for r in after)) for i in range(len(before))]
        rows = [self._run(crops[i : i + 1], state.recurrent) for i, state in enumerate(before)]
        foregrounds, alphas, afters = zip(*rows, strict=True)
        return torch.cat(foregrounds), torch.cat(alphas), [RvmState(recurrent) for recurrent in afters]

    def _run(self, crops: Tensor, recurrent: Sequence[Tensor]) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        out = self._net(src=crops, **{f"r{i}i": r for i, r in enumerate(recurrent, 1)})
        return out["fgr"].clamp(0, 1), out["pha"].clamp(0, 1), tuple(out[f"r{i}o"] for i in range(1, 5))


def extent(alpha: Tensor, box: Box) -> Box | None:
    """The box around all that is rather person than not, in pixels of the frame; None when there is nothing.

    alpha [1, 1, H, W] of the crop at `box`. Rows and columns with hardly a pixel in them are specks.
    """
    shown = alpha[0, 0].numpy() > 0.5
    columns, rows = (np.flatnonzero(shown.sum(axis) > LEAST_PX) for axis in (0, 1))
    if not columns.size or not rows.size:
        return None
    inner = Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return inner.scaled(box.width / shown.shape[1], box.height / shown.shape[0]).moved(box.x0, box.y0)


def rvm_shapes(size: tuple[int, int], ratio: float, batch: int = 1) -> dict[str, tuple[int, ...]]:
    """Shapes of RVM's inputs for pictures of `size` (width, height) px."""
    shapes: dict[str, tuple[int, ...]] = {"src": (batch, 3, size[1], size[0])}
    width, height = (int(side * ratio) for side in size)
    for i, channels in enumerate(RVM_CHANNELS, 1):
        width, height = math.ceil(width / 2), math.ceil(height / 2)
        shapes[f"r{i}i"] = (batch, channels, height, width)
    return shapes


class SegmentationMatte:
    """MediaPipe's selfie segmentation: small and quick, made for one person near the camera; no memory."""

    name = "selfie segmentation"
    SIDE_PX = 256

    @classmethod
    def load(cls, path: Path, engine: Engine) -> Self:
        """Raises ModelMissing, Unreadable, ModelRejected."""
        shape = (1, cls.SIDE_PX, cls.SIDE_PX, 3)
        net = _read(path, engine, {})
        if len(net.inputs) != 1 or len(net.outputs) != 1:
            raise ModelRejected(f"{path}: one input and one output were expected, not {net.inputs}, {net.outputs}")
        net = _read(path, engine, {net.inputs[0]: shape})
        got = tuple(next(iter(net(**{net.inputs[0]: torch.zeros(shape)}).values())).shape)
        if got != (*shape[:3], 1):
            raise ModelRejected(f"{path}: gives {list(got)}, expected {[*shape[:3], 1]}")
        return cls(net)

    def __init__(self, net: OnnxNet) -> None:
        """net: [1, 256, 256, 3] unit -> [1, 256, 256, 1] opacity."""
        self._net = net

    def __call__(
        self, crops: Tensor, states: Sequence[MatteState | None], views: Sequence[View]
    ) -> tuple[Tensor, Tensor, list[MatteState]]:
        alpha = torch.cat([self._one(crop[None]) for crop in crops])
        return crops, alpha, [MatteState() for _ in crops]

    def _one(self, crop: Tensor) -> Tensor:
        side = (self.SIDE_PX, self.SIDE_PX)
        picture = crop if crop.shape[2:] == side else F.interpolate(crop, side, mode="bilinear", antialias=True)
        (out,) = self._net(**{self._net.inputs[0]: picture.permute(0, 2, 3, 1)}).values()
        alpha = self._opacity(out.to(crop.device).permute(0, 3, 1, 2))
        return alpha if crop.shape[2:] == side else F.interpolate(alpha, crop.shape[2:], mode="bilinear")

    @staticmethod
    def _opacity(out: Tensor) -> Tensor:
        """What the network gives -> 0..1."""
        return out.clamp(0, 1)


class SubtractionState(MatteState):
    """OpenCV's model of the empty room, learnt from whole frames of one size."""

    def __init__(self, frame_size: tuple[int, int]) -> None:
        self.frame_size = frame_size
        self.model = cv2.createBackgroundSubtractorMOG2(history=HISTORY_FRAMES, varThreshold=16, detectShadows=True)


class SubtractionMatte:
    """What differs from the empty room is the person: the last resort, for a camera that stands still.

    The room is a clean plate where one is given, else what OpenCV's MOG2 has learnt of it: then a person who was there
    from the first frame on, or stands still for long, belongs to the room.
    """

    name = "background subtraction"

    def __init__(self, plate: PixelsU8 | None = None) -> None:
        """plate: the empty room, uint8 [H, W, 3], through the same camera."""
        self._plate = plate

    def __call__(
        self, crops: Tensor, states: Sequence[MatteState | None], views: Sequence[View]
    ) -> tuple[Tensor, Tensor, list[MatteState]]:
        after: list[MatteState] = []
        alphas = []
        for state, view in zip(states, views, strict=True):
            small = _shrunk(view.pixels, SUBTRACTION_PX)
            frame_size = small.shape[1], small.shape[0]
            fresh = not isinstance(state, SubtractionState) or state.frame_size != frame_size
            kept = SubtractionState(frame_size) if fresh else state
            assert isinstance(kept, SubtractionState)
            mask = _whole_shapes(kept.model.apply(small) if self._plate is None else _unlike(small, self._plate))
            scale = frame_size[0] / view.pixels.shape[1], frame_size[1] / view.pixels.shape[0]
            alphas.append(cut(cv2.merge([mask] * 3), view.box.scaled(*scale), crops.shape[-1])[:, :1])
            after.append(kept)
        return crops, torch.cat(alphas), after


def _unlike(small: PixelsU8, plate: PixelsU8) -> NDArray[np.uint8]:
    """255 where a frame differs from the clean plate by more than DIFFERENCE in some channel, uint8 [h, w]."""
    empty = cv2.resize(plate, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
    blurred = (cv2.GaussianBlur(picture, (0, 0), 1) for picture in (small, empty))
    difference = cv2.absdiff(*blurred).max(axis=2)
    result: NDArray[np.uint8] = cv2.threshold(difference, DIFFERENCE, 255, cv2.THRESH_BINARY)[1]
    return result


def _whole_shapes(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shadows (127) and specks away, holes closed, edges soft."""
    sure = cv2.threshold(mask, 200, 255, cv2.THRESH_BINARY)[1]
    opened = cv2.morphologyEx(sure, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    result: NDArray[np.uint8] = cv2.GaussianBlur(closed, (0, 0), 1)
    return result


def _shrunk(pixels: PixelsU8, longest_px: int) -> PixelsU8:
    scale = min(1.0, longest_px / max(pixels.shape))
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    result: PixelsU8 = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return result


def _read(
    path: Path, engine: Engine, shapes: Mapping[str, Sequence[int]], constants: Mapping[str, float] | None = None
) -> OnnxNet:
    if not path.is_file():
        raise ModelMissing(f"matte: there is no file {path}")
    return engine.read(path, shapes, constants=constants)


def _expect(path: Path, net: OnnxNet, inputs: set[str], outputs: set[str]) -> None:
    if set(net.inputs) != inputs or not outputs <= set(net.outputs):
        raise ModelRejected(f"{path}: not RobustVideoMatting's interface: {net.inputs} -> {net.outputs}")
