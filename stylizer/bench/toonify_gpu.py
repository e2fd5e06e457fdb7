"""The converter on a card: torch eager in fp16, in a CUDA graph, and in a graph with our own kernel; is it one picture?

python -m stylizer.bench.toonify_gpu [--style anime] [--json F]

Exit 1 where the card draws something else or the goal is missed, 3 when there is no GPU.
"""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernels.bench import gpu_times_us, machine
from kernels.check import NO_GPU, has_gpu
from stylizer.cli_report import new_file
from stylizer.config import Settings
from stylizer.convert import SIZE
from stylizer.convert.tones import toned_channels
from stylizer.convert.toonify import FixedToonify, load_style
from stylizer.engines.fused import fuse, open_run, torchs_stream
from stylizer.engines.torch_eager import as_tuple
from stylizer.weights.registry import Registry

LEAST_DB = 40.0
TIMES_EAGER = 2.0  # the goal: as many times as fast as torch eager in fp16
BATCHES = (1, 4, 16)
Inputs = tuple[Tensor, ...]


def inputs(net: FixedToonify, batch: int) -> Inputs:
    """A batch of soft blobs with looks and tones of their own mixed in by half."""
    rng = torch.Generator().manual_seed(0)
    blobs = torch.nn.functional.interpolate(torch.rand(batch, 4, 8, 8, generator=rng), SIZE, mode="bicubic").clamp(0, 1)
    ws = torch.randn(batch, *net.w_avg.shape, generator=rng)
    look, psi = torch.full((batch, ws.shape[1], 1), 0.5), torch.ones(batch, 1, 1)
    tones = torch.full((batch, 3, sum(toned_channels(net.encoder.config))), 0.5)
    return blobs[:, :3], blobs[:, 3:], ws, look, tones, psi


def captured(net: torch.nn.Module, given: Inputs) -> tuple[Callable[[], None], Inputs]:
    """One graph, as `engines/cuda_graph.py` makes it -> what runs it, and its outputs."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            net(*given)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = as_tuple(net(*given))
    return graph.replay, outputs


def db(got: Inputs, expected: Inputs) -> float:
    """PSNR of the worst of the outputs, all in 0..1."""
    errors = [float(((g.float().cpu() - e) ** 2).mean()) for g, e in zip(got, expected, strict=True)]
    return float(-10 * np.log10(max(errors) + 1e-12))


def measure(net: FixedToonify, batch: int) -> dict[str, Any]:
    """Medians on the card in us, and how near the last way is to float32 on the CPU."""
    given = inputs(net, batch)
    expected = as_tuple(net.float().cpu()(*given))
    half = net.half().cuda().to(memory_format=torch.channels_last)
    on_card = tuple(t.half().cuda() for t in given)
    stream = torchs_stream()
    times = {"eager": float(np.median(gpu_times_us(lambda: half(*on_card), stream)))}
    replay, _ = captured(half, on_card)
    times["graph"] = float(np.median(gpu_times_us(replay, stream)))
    fuse(half, open_run())
    replay, outputs = captured(half, on_card)
    times["graph, own kernel"] = float(np.median(gpu_times_us(replay, stream)))
    return {"us": times, "psnr_db": db(outputs, expected), "times_eager": times["eager"] / times["graph, own kernel"]}


def missed(rows: dict[int, dict[str, Any]]) -> list[str]:
    """What does not hold, in words."""
    words = [
        f"batch {batch}: the card draws what the CPU draws: {row['psnr_db']:.1f} dB, at least {LEAST_DB:g}"
        for batch, row in rows.items()
        if row["psnr_db"] < LEAST_DB
    ]
    if rows[1]["times_eager"] < TIMES_EAGER:
        words.append(f"{rows[1]['times_eager']:.2f} times torch eager in fp16, at least {TIMES_EAGER:g}")
    return words


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stylizer.bench.toonify_gpu", description=__doc__)
    parser.add_argument("--style", default="anime")
    parser.add_argument("--json", type=new_file)
    args = parser.parse_args()
    if not has_gpu():
        sys.stderr.write("no CUDA device, or no cupy: nothing was measured\n")
        return NO_GPU
    weights = Registry(Settings.load()).style(args.style).weights
    with torch.inference_mode():
        rows = {batch: measure(load_style(weights).at_strength(1.0), batch) for batch in BATCHES}
    text = (
        json.dumps({"machine": machine(), "style": args.style, "batches": rows, "missed": missed(rows)}, indent=1)
        + "\n"
    )
    sys.stdout.write(text)
    if args.json:
        args.json.write_text(text, encoding="utf-8")
    return 1 if missed(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
