"""`stylizer bench stages`: each stage alone, on each engine, beside the least time that this machine could need.

The floor of a network is its multiplications over what a large matrix product reaches here, with as many threads and
in the same precision; that of a step on pixels is the bytes it must read and write over what a copy reaches here.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
import torch

from stylizer import machine
from stylizer.config import EngineName, Settings
from stylizer.controls import defaults
from stylizer.convert import SIZE
from stylizer.convert.ink import ink
from stylizer.convert.looks import Looks
from stylizer.convert.toonify import ToonifyNet, load_style
from stylizer.engines import CORES
from stylizer.engines.openvino import OpenVinoEngine
from stylizer.errors import ModelRejected
from stylizer.frame import Frame, PixelsU8
from stylizer.library import FIRST
from stylizer.media import Reader
from stylizer.pipeline import Pipeline
from stylizer.stages.compose import Backdrop, compose
from stylizer.stages.crop import cut
from stylizer.stages.detect import RAW_MAPS
from stylizer.stages.detect import SIZE_PX as DETECT_PX
from stylizer.stages.face import HeadFinder
from stylizer.stages.matte import RVM_RATIO, rvm_shapes
from stylizer.stages.medium import Medium
from stylizer.stages.pose import PoseMatte
from stylizer.stages.yolo_checkpoint import anchor_free
from stylizer.weights.registry import Registry

WARM_UP, RUNS = 5, 40
MATRIX = 1536  # side of the matrices whose product measures the machine
COPY_BYTES = 64 << 20  # more than the caches hold


@dataclass(frozen=True, slots=True)
class Row:
    """One stage on one engine. Times in ms; floor 0 where none is stated. share: floor / p50."""

    stage: str
    engine: str
    threads: int
    p50_ms: float
    p95_ms: float
    floor_ms: float
    share: float


def run(settings: Settings, clip: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Raises ModelMissing without YOLOv5 or RVM, Unreadable for a file that is no film."""
    cv2.setNumThreads(1)
    with Reader(clip) as reader:
        pixels = [frame.pixels for frame, _ in zip(reader, range(25), strict=False)][-1]
    rows: list[Row] = []
    for threads in sorted({1, CORES}):
        torch.set_num_threads(threads)
        peak = {precision: _gflops(dtype) for precision, dtype in _PRECISIONS.items()}
        rates = {name: round(v) for name, v in peak.items()}
        tell(f"{threads} threads: {rates} GFLOP/s")
        rows += _networks(settings, threads, peak)
        rows += _in_torch(settings, threads, peak["fp32"])
    torch.set_num_threads(1)
    rows += _on_pixels(settings, pixels)
    return {
        "command": f"stylizer bench stages --input {clip.name}",
        "date": datetime.now(UTC).date().isoformat(),
        "frame": [pixels.shape[1], pixels.shape[0]],
        "rows": [asdict(row) for row in rows],
        "machine": machine.describe(),
    }


_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def gflop(model: ov.Model) -> float:
    """Two for each multiplication of the convolutions and matrix products; the rest is small beside them."""
    total = 0
    for op in model.get_ops():
        kind = op.get_type_name()
        if kind in ("Convolution", "GroupConvolution", "ConvolutionBackpropData"):
            kernel = list(op.input_value(1).get_shape())
            # [out, in, h, w]; groups come before; transposed [in, out, h, w], where each input pixel is multiplied
            moved = op.input_value(0).get_shape() if kind == "ConvolutionBackpropData" else op.output(0).get_shape()
            pixels = prod(list(moved)[2:])
            total += 2 * pixels * prod(kernel)
        elif kind == "MatMul":
            inner = list(op.input_value(0).get_shape())[-1]
            total += 2 * prod(list(op.output(0).get_shape())) * inner
    return total / 1e9


def _networks(settings: Settings, threads: int, peak: dict[str, float]) -> Iterator[Row]:
    engine = OpenVinoEngine(threads, settings.cache / "openvino")
    for stage, model in _models(settings, engine):
        work = gflop(model)
        for precision in dict.fromkeys(("fp32", engine.cpu_precision)):
            request = engine.on_cpu(model, precision).create_infer_request()
            inputs = [np.zeros(tuple(port.shape), np.float32) for port in model.inputs]
            floor_ms = work / peak[precision] * 1000
            yield _timed(stage, f"openvino {precision}", threads, floor_ms, partial(request.infer, inputs))


def _models(settings: Settings, engine: OpenVinoEngine) -> Iterator[tuple[str, ov.Model]]:
    registry = Registry(settings)
    yield "detect", detector_model(registry.find("person").path, engine)
    shapes = rvm_shapes((SIZE, SIZE), RVM_RATIO)
    yield "matte", engine.model(registry.find("matte").path, shapes, constants={"downsample_ratio": RVM_RATIO})
    yield "apart", engine.model(registry.find("silhouette").path, outputs=PoseMatte.OUTPUTS)
    net = load_style(registry.style(FIRST).weights)
    yield "convert", engine.converted(net.at_strength(1.0), _example(net))


def detector_model(path: Path, engine: OpenVinoEngine) -> ov.Model:
    """YOLOv5 as `load_detector` compiles it: of a file with a grid for another size only the part before the grid."""
    example = torch.zeros(1, 3, DETECT_PX, DETECT_PX)
    if path.suffix == ".pt":
        return engine.converted(anchor_free(path, example), (example,))
    try:
        return engine.model(path, {"images": example.shape}, outputs=RAW_MAPS)
    except ModelRejected:
        return engine.model(path, {"images": example.shape})


def _example(net: ToonifyNet) -> tuple[torch.Tensor, ...]:
    looks = Looks(net).tensors([defaults()], [None])
    return torch.rand(1, 3, SIZE, SIZE), torch.rand(1, 1, SIZE, SIZE), *looks


def _in_torch(settings: Settings, threads: int, peak_fp32: float) -> Iterator[Row]:
    registry = Registry(settings)
    net = load_style(registry.style(FIRST).weights)
    fixed, example = net.at_strength(1.0).eval(), _example(net)
    engine = OpenVinoEngine(threads, settings.cache / "openvino")
    floor_ms = gflop(engine.converted(fixed, example)) / peak_fp32 * 1000

    def call() -> None:
        with torch.inference_mode():
            fixed(*example)

    yield _timed("convert", "torch fp32", threads, floor_ms, call)


def _on_pixels(settings: Settings, frame: PixelsU8) -> Iterator[Row]:
    """The steps between the networks, on one thread as in the pipeline, with what the pipeline hands them."""
    pipeline = Pipeline.open(settings.model_copy(update={"engine": EngineName.OPENVINO}))
    pipeline.warm_up()
    state = pipeline.new_state({"framing": "scene", "background": "blur"})
    for tick in range(3):
        (job,) = pipeline.draw(pipeline.see([Frame(frame, pts=tick)], [state]))
    box, picture, alpha, foreground, matte = job.box, job.picture, job.alpha, job.foreground, job.matte
    assert box and picture is not None and alpha is not None and foreground is not None and matte is not None
    copy = _bytes_per_ms()
    controls: dict[str, Any] = defaults() | {"framing": "scene", "background": "blur"}
    body = state.tracker.target or box
    square = SIZE * SIZE
    find_head = HeadFinder(torch.device("cpu"))
    backdrop = Backdrop.of(controls)
    yield _timed("face", "torch fp32", 1, 0.0, lambda: find_head(frame, body))
    yield _timed("crop", "opencv", 1, (3 * box.area + 15 * square) / copy, lambda: cut(frame, box, SIZE))
    yield _timed("ink", "opencv", 1, 4 * 12 * square / copy, lambda: ink(picture, alpha, foreground, matte, 0.9))
    yield _timed(
        "compose",
        "opencv",
        1,
        (2 * frame.nbytes + 16 * square) / copy,
        lambda: compose(frame, box, picture, alpha, backdrop, controls, matte, job.closeup, medium=Medium.CEL),
    )


def _timed(stage: str, engine: str, threads: int, floor_ms: float, call: Callable[[], object]) -> Row:
    times = []
    for turn in range(WARM_UP + RUNS):
        begin = time.perf_counter()
        call()
        if turn >= WARM_UP:
            times.append((time.perf_counter() - begin) * 1000)
    p50, p95 = (round(float(v), 2) for v in np.percentile(times, (50, 95)))
    return Row(stage, engine, threads, p50, p95, round(floor_ms, 2), round(floor_ms / p50, 2))


def _gflops(dtype: torch.dtype) -> float:
    """What a large matrix product reaches, the best of five."""
    a = torch.rand(MATRIX, MATRIX).to(dtype)
    best = min(_seconds(lambda: a @ a) for _ in range(6))
    return 2 * MATRIX**3 / best / 1e9


def _bytes_per_ms() -> float:
    """Read and written by a copy on one thread, the best of five."""
    a = np.ones(COPY_BYTES, np.uint8)
    b = np.empty_like(a)
    return 2 * COPY_BYTES / min(_seconds(lambda: np.copyto(b, a)) for _ in range(6)) / 1000


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
