"""The U-Net-256 on a CPU: OpenVINO in bf16 or fp32, or in int8, calibrated on the network's own feedback frames.

python -m stylizer.convert.pix2pix_int8 WEIGHTS CACHE      quantises a file's network into the cache
"""

import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernels.feedback import Settings
from kernels.feedback_ref import noise_ref
from kernels.weights import SIZE, filters_of, load_weights, save_weights
from stylizer.convert.pix2pix import Unet256, weights_of
from stylizer.convert.pix2pix_openvino import WIDE, unet_model
from stylizer.errors import Unavailable
from stylizer.logs import log

CALIBRATION_FRAMES = 16
LEAST_PSNR_DB = 35.0  # against the network itself: less would be seen
TRIAL_FRAMES = 4  # other frames than those of the calibration: the PSNR is stated on them
RECIPE = 3  # counted up when anything below changes what comes out

F32 = NDArray[np.float32]
Run = Callable[[F32], F32]  # [1, 3, 256, 256] in 0..1 -> the same, valid until the next call; for one caller at a time


@dataclass(frozen=True, slots=True)
class CpuUnet:
    """A compiled network. psnr_db: against plain torch in fp32, over feedback frames that int8 did not see before."""

    run: Run
    precision: str
    psnr_db: float


def float_unet(weights: Mapping[str, F32], threads: int, precision: str | None = None) -> Run:
    """Compiled within a tenth of a second at 16 filters. precision: "fp32", "bf16" or the quicker one here."""
    precision = precision or (
        "bf16" if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "fp32"
    )
    shuffled = precision == "bf16" and filters_of(weights) < WIDE
    return _compiled(unet_model(weights, shuffled=shuffled), precision, threads)


def int8_unet(weights: Mapping[str, F32], threads: int, cache: Path) -> Run | None:
    """Of weights that were quantised before; None where they were not, where what was kept cannot be read, and where
    it is further than LEAST_PSNR_DB from the network's own pictures."""
    kept = _kept(int8_path(weights, cache))
    if kept is None:
        return None
    model, stated = kept
    if stated < LEAST_PSNR_DB:
        log.warning("int8 would be seen: a wide model stays in floating point", psnr_db=stated, least=LEAST_PSNR_DB)
        return None
    return _compiled(model, "int8", threads)


def quantize_apart(weights: Mapping[str, F32], cache: Path) -> None:
    """Makes what `int8_unet` finds: half a minute in a process of its own, at low priority, which a show does not feel.

    Raises Unavailable with the process's words.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        file = Path(folder) / "weights.safetensors"
        save_weights(file, weights)
        command = [sys.executable, "-m", "stylizer.convert.pix2pix_int8", str(file), str(cache)]
        path = {"PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
        child = subprocess.run(command, env=os.environ | path, capture_output=True, encoding="utf-8", errors="replace")
    if child.returncode:
        last = child.stderr.strip().splitlines()[-1:]
        raise Unavailable(f"a network could not be quantised: {' '.join(last)}")


def feedback_frames(network: Unet256, count: int, *, seed: int = 0) -> list[Tensor]:
    """`count` inputs [1, 3, 256, 256] that a feedback loop really feeds: every second step, from noise on.

    Weights that were trained on doodles see their own pictures here, as they do in VJ mode.
    """
    rng = np.random.default_rng(seed)
    picture = torch.from_numpy(rng.random((1, 3, SIZE, SIZE), dtype=np.float32))
    frames = []
    with torch.inference_mode():
        for step in range(2 * count):
            amplitudes = (0.3, 0.1, 0.05) if step % 30 < 10 else (0.1, 0.02, 0.0)
            settings = Settings(amplitudes=amplitudes, time_s=seed * 100 + step / 30).pack()
            noise = torch.from_numpy(noise_ref(settings, SIZE))
            fed = (picture * 0.98 + noise).clamp_(0, 1)
            if step % 2:
                frames.append(fed)
            picture = network(fed)
    return frames


def cpu_unet(
    network: Unet256, precision: str, *, threads: int, cache: Path, frames: int = CALIBRATION_FRAMES
) -> CpuUnet:
    """Compiles `network` for "fp32", "bf16" or "int8". Quantising takes half a minute and is kept in `cache`.

    frames: pictures that int8 is calibrated on. Raises Unavailable for int8 when NNCF is not installed and the cache
    has nothing.
    """
    weights = weights_of(network)
    if precision != "int8":
        run = float_unet(weights, threads, precision)
        return CpuUnet(run, precision, psnr_db(network, run))
    kept = _kept(quantize(weights, cache, frames))
    assert kept is not None, "it was written just now"
    return CpuUnet(_compiled(kept[0], precision, threads), precision, kept[1])


def psnr_db(network: Unet256, run: Run) -> float:
    """Of `run` against plain torch, over frames of another seed than the calibration's."""
    errors = []
    for frame in feedback_frames(network, TRIAL_FRAMES, seed=1):
        with torch.inference_mode():
            expected = network(frame).numpy()
        errors.append(np.mean((run(frame.numpy()) - expected) ** 2))
    return float(-10 * np.log10(np.mean(errors)))


def int8_path(weights: Mapping[str, F32], cache: Path, frames: int = CALIBRATION_FRAMES) -> Path:
    """Where the quantised network of these weights is kept."""
    digest = hashlib.sha256(f"{RECIPE} {frames} {ov.__version__}".encode())
    for name, value in sorted(weights.items()):
        digest.update(name.encode() + value.tobytes())
    return cache / f"unet-int8-{digest.hexdigest()[:24]}.xml"


def quantize(weights: Mapping[str, F32], cache: Path, frames: int = CALIBRATION_FRAMES) -> Path:
    """The int8 model's file, from the cache or made now. Raises Unavailable without NNCF."""
    path = int8_path(weights, cache, frames)
    if _kept(path) is not None:
        return path
    network = Unet256.from_weights(weights)
    model = _quantized(network, frames)
    request = ov.Core().compile_model(model, "CPU").create_infer_request()
    stated = psnr_db(network, lambda picture: np.asarray(request.infer([picture])[0], np.float32))
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:  # what another process reads is never written into
        made = Path(folder) / path.name
        ov.save_model(model, made, compress_to_fp16=False)
        made.with_suffix(".json").write_text(json.dumps({"psnr_db": stated}), encoding="utf-8")
        for suffix in (".bin", ".xml", ".json"):
            os.replace(made.with_suffix(suffix), path.with_suffix(suffix))
    return path


def _kept(path: Path) -> tuple[Any, float] | None:
    """The model and its PSNR in dB; None where they are not there, or not whole: what a power cut has left, say."""
    try:  # the note is written last
        stated = float(json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["psnr_db"])
        return ov.Core().read_model(path), stated
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None


def _quantized(network: Unet256, count: int) -> Any:
    try:
        import nncf
    except ImportError:
        raise Unavailable("int8 needs the package nncf, which is not installed; bf16 runs without it") from None
    nncf.set_log_level(logging.ERROR)
    frames = [frame.numpy() for frame in feedback_frames(network, count)]
    # Activations after LeakyReLU are lopsided, weights are not: MIXED gives the first a zero point and the others none.
    preset = nncf.QuantizationPreset.MIXED
    model = unet_model(weights_of(network))
    return nncf.quantize(model, nncf.Dataset(frames), subset_size=len(frames), preset=preset)


def _compiled(model: Any, precision: str, threads: int) -> Run:
    hint = {"fp32": "f32", "bf16": "bf16", "int8": "bf16"}[precision]  # int8: the rest of it in bf16
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": hint}
    request = ov.Core().compile_model(model, "CPU", options).create_infer_request()

    def run(picture: F32) -> F32:
        results = request.infer([picture], share_inputs=True, share_outputs=True)
        out: F32 = results[0]
        return out

    return run


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)
    torch.set_num_threads(1)
    quantize(load_weights(Path(sys.argv[1])), Path(sys.argv[2]))
