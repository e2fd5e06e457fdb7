"""Times the U-Net-256 on this machine's CPU in fp32, bf16 and int8, with the PSNR of each.

python -m benchmarks.unet_cpu [--filters 64 | --weights F.pict] [--threads 2] [--json F]

Times are wall clock, one picture at a time. Other load makes them longer: load and CPU time are printed too.
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from kernels.weights import load_weights, random_weights
from stylizer.cli_report import new_file
from stylizer.config import Settings
from stylizer.convert.pix2pix import Unet256
from stylizer.convert.pix2pix_int8 import CpuUnet, cpu_unet


def processor() -> str:
    """The model's name where Linux tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


def measure(unet: CpuUnet, repeats: int) -> dict[str, float | str]:
    """Milliseconds per picture; cpu_ms: processor time of all threads together."""
    picture = np.random.default_rng(0).random((1, 3, 256, 256), dtype=np.float32)
    for _ in range(5):
        unet.run(picture)
    times_ms, used = [], time.process_time()
    for _ in range(repeats):
        begin = time.perf_counter()
        unet.run(picture)
        times_ms.append(1e3 * (time.perf_counter() - begin))
    cpu_ms = 1e3 * (time.process_time() - used) / repeats
    least, p50, p95 = (float(t) for t in np.percentile(times_ms, (0, 50, 95)))
    times = {"least_ms": least, "p50_ms": p50, "p95_ms": p95, "cpu_ms": cpu_ms}
    return {"precision": unet.precision, "psnr_db": unet.psnr_db, **times}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unet_cpu", description=__doc__)
    parser.add_argument("--filters", type=int, default=64, help="random weights of this size")
    parser.add_argument("--weights", type=Path, help="a .pict or .safetensors file instead")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--json", type=new_file)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network = Unet256.from_weights(load_weights(args.weights) if args.weights else random_weights(args.filters))
    rows = []
    for precision in ("fp32", "bf16", "int8"):
        unet = cpu_unet(network, precision, threads=args.threads, cache=Settings.load().cache / "openvino")
        row = measure(unet, args.repeats)
        rows.append(row)
        sys.stdout.write(" ".join(f"{k}={v:.1f}" if isinstance(v, float) else v for k, v in row.items()) + "\n")
    state = {"processor": processor(), "threads": args.threads, "load": os.getloadavg()[0], "filters": network.filters}
    sys.stdout.write(f"{state}\n")
    if args.json:
        args.json.write_text(json.dumps({**state, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
