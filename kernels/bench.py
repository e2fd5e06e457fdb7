"""Times the U-Net on a GPU: every rung, whole and per layer, and torch's best ways beside it, in one run.

python -m kernels.bench [--filters 64] [--no-peers] [--no-layers] [--json F] [--plot F.png]

Prints card, driver and clocks, the first (compiling) call apart, and each time with its share of the roofline, whose
two peaks are measured in the same run. Checks the results first (kernels.check). Exit 3 when there is no GPU, 1 when a
check fails.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kernels.check import NO_GPU, has_gpu, run_checks
from kernels.launch import Launch
from kernels.pict import Weights
from kernels.plan import RUNGS
from kernels.roofline import Peaks, layer_bytes, layer_floor_us, network_floor_us
from kernels.weights import random_weights, unet_layers

REPEATS = 200


@dataclass(frozen=True, slots=True)
class Timing:
    """GPU time of one call in microseconds; first_ms: compiling, loading and capturing, on the CPU's clock.

    share: of the roofline, 1.0 is the card's limit. GB/s and TFLOP/s count each value and each multiply-add once.
    """

    what: str
    p50_us: float
    p95_us: float
    first_ms: float | None = None
    share: float | None = None
    gb_per_s: float | None = None
    tflop_per_s: float | None = None


def gpu_times_us(step: Callable[[], object], stream: object, repeats: int = REPEATS) -> list[float]:
    """GPU time of each of `repeats` calls, by events on `stream`; ten calls before them are not counted."""
    import cupy as cp

    for _ in range(10):
        step()
    times = []
    for _ in range(repeats):
        begin, end = cp.cuda.Event(), cp.cuda.Event()
        begin.record(stream)
        step()
        end.record(stream)
        end.synchronize()
        times.append(1000 * cp.cuda.get_elapsed_time(begin, end))
    return times


def machine() -> dict[str, str]:
    """Card, driver and clocks as nvidia-smi tells them, and the versions that matter."""
    import cupy as cp

    query = "name,driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.limit"
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
    values = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0].split(", ")
    versions = {"cupy": cp.__version__, "cuda": str(cp.cuda.runtime.runtimeGetVersion())}
    return dict(zip(query.split(","), values, strict=True)) | versions


def measured_peaks() -> Peaks:
    """What this card does now: a copy of 1 GiB, and a product of 8192 x 8192 halves."""
    import cupy as cp

    stream = cp.cuda.get_current_stream()
    a, b = cp.zeros(1 << 28, np.float32), cp.empty(1 << 28, np.float32)
    copy_us = float(np.median(gpu_times_us(lambda: cp.copyto(b, a), stream, 30)))
    half = cp.ones((8192, 8192), np.float16)
    product_us = float(np.median(gpu_times_us(lambda: cp.matmul(half, half), stream, 30)))
    return Peaks(bytes_per_us=2 * a.nbytes / copy_us, flop_per_us=2 * 8192**3 / product_us)


def whole(what: str, times: list[float], first_ms: float, filters: int, peaks: Peaks) -> Timing:
    p50, p95 = (float(t) for t in np.percentile(times, (50, 95)))
    layers = unet_layers(filters)
    moved, flop = sum(map(layer_bytes, layers)), sum(2 * layer.multiply_adds for layer in layers)
    share = network_floor_us(layers, peaks) / p50
    return Timing(what, p50, p95, first_ms, share, moved / p50 / 1e3, flop / p50 / 1e6)


def time_rungs(weights: Weights, filters: int, peaks: Peaks) -> Iterator[Timing]:
    """The whole network on each rung, as one graph."""
    from kernels.unet256 import Unet256

    for rung in RUNGS:
        begin = time.perf_counter()
        network = Unet256(weights, rung=rung)
        first_ms = 1e3 * (time.perf_counter() - begin)
        yield whole(f"rung {rung}", gpu_times_us(network.step, network.stream), first_ms, filters, peaks)


class TorchStream:
    """A stream of torch's by the protocol that CuPy takes streams by."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._handle


def time_peers(weights: Weights, filters: int, peaks: Peaks) -> Iterator[Timing]:
    """torch's ways, on its own stream, timed by the same events."""
    import cupy as cp
    import torch

    from kernels.peers import peers

    for name, prepare in peers(weights):
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(stream):
            begin = time.perf_counter()
            step = prepare()
            step()
            torch.cuda.synchronize()
            first_ms = 1e3 * (time.perf_counter() - begin)
            times = gpu_times_us(step, cp.cuda.Stream.from_external(TorchStream(stream.cuda_stream)))
        yield whole(name, times, first_ms, filters, peaks)


def time_layers(weights: Weights, filters: int, peaks: Peaks) -> Iterator[Timing]:
    """Each launch of each rung by itself, launched from the CPU; what is shorter than some 5 us measures the launch."""
    from kernels import cuda
    from kernels.unet256 import Unet256

    layers = {layer.name: layer for layer in unet_layers(filters)}
    for rung in RUNGS:
        network = Unet256(weights, rung=rung)
        for launch in network.plan.frame:

            def step(launch: Launch = launch, network: Unet256 = network) -> None:
                cuda.run(launch, network.arrays)

            with network.stream:
                p50, p95 = (float(t) for t in np.percentile(gpu_times_us(step, network.stream, 30), (50, 95)))
            what, layer = f"rung {rung} {launch.layer} {launch.kernel.function}", layers[launch.layer]
            if launch.kernel.file == "first" or launch.kernel.file.startswith("conv"):
                rates = layer_bytes(layer) / p50 / 1e3, 2 * layer.multiply_adds / p50 / 1e6
                yield Timing(what, p50, p95, None, layer_floor_us(layer, peaks) / p50, *rates)
            else:
                yield Timing(what, p50, p95)


def time_loop(weights: Weights, filters: int) -> Iterator[Timing]:
    """VJ mode's whole loop with noise, each of its graphs: the fader rests, moves, or has come to rest."""
    from kernels.cuda import Card
    from kernels.feedback import Settings
    from kernels.feedback_loop import FeedbackLoop, prepared

    card = Card()
    loop = FeedbackLoop(prepared(weights), prepared(random_weights(filters, seed=1)), card)
    loop.step(Settings(rate=0.98, zoom=1.01, amplitudes=(0.1, 0.05, 0.02), time_s=1.0), 0.5)
    graphs = loop.graphs
    steps = {
        "fader at rest": graphs.resting,
        "fader moving, mixed inside the convolutions": graphs.moving,
        "all weights mixed beforehand": graphs.settling,
    }
    for what, step in steps.items():
        p50, p95 = (float(t) for t in np.percentile(gpu_times_us(step, card.stream), (50, 95)))
        yield Timing(f"VJ loop, rung 6, {what}", p50, p95)


def show(row: Timing) -> None:
    share = "" if row.share is None else f"{row.share:6.0%} {row.gb_per_s:7.0f} GB/s {row.tflop_per_s:7.2f} TFLOP/s"
    first = "" if row.first_ms is None else f"  first {row.first_ms:.0f} ms"
    print(f"{row.p50_us:10.1f} us (p95 {row.p95_us:.1f})  {row.what:55} {share}{first}", flush=True)


def plot(rows: list[Timing], peaks: Peaks, filters: int, path: Path) -> None:
    """Bars of the whole network's ways over the roofline."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 0.5 * len(rows) + 1.5), layout="constrained")
    axes.barh([row.what for row in rows][::-1], [row.p50_us for row in rows][::-1])
    axes.axvline(network_floor_us(unet_layers(filters), peaks), color="black", label="roofline, measured peaks")
    axes.set(xscale="log", xlabel=f"microseconds per picture, {filters} filters, batch 1")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kernels.bench", description=__doc__)
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--no-peers", action="store_true", help="without torch")
    parser.add_argument("--no-layers", action="store_true", help="whole networks only")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="needs matplotlib")
    args = parser.parse_args()
    if not has_gpu():
        print("no CUDA device, or no cupy: nothing was measured", file=sys.stderr)
        return NO_GPU
    if not run_checks(16):
        return 1
    card, peaks, weights = machine(), measured_peaks(), random_weights(args.filters)
    print(card)
    print(f"peaks measured now: {peaks.bytes_per_us / 1e3:.0f} GB/s, {peaks.flop_per_us / 1e6:.0f} TFLOP/s fp16")
    networks, details = [], []
    sources = [time_rungs(weights, args.filters, peaks)]
    sources += [] if args.no_peers else [time_peers(weights, args.filters, peaks)]
    for row in (row for source in sources for row in source):
        show(row)
        networks.append(row)
    extra = [] if args.no_layers else [time_layers(weights, args.filters, peaks)]
    for row in (row for source in (time_loop(weights, args.filters), *extra) for row in source):
        show(row)
        details.append(row)
    if args.json:
        rows = [asdict(row) for row in (*networks, *details)]
        text = json.dumps({"machine": card, "filters": args.filters, "peaks": asdict(peaks), "rows": rows}, indent=1)
        args.json.write_text(text + "\n", encoding="utf-8")
    if args.plot:
        plot(networks, peaks, args.filters, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
