"""What this machine is, for reports: a number without its machine says nothing."""

import os
import platform
import resource
import sys
from pathlib import Path

import openvino
import torch

from stylizer.engines.card import why_no_cuda

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")  # of X and of Wayland


def describe() -> dict[str, str | int]:
    """cpu, cores, gpu ("none" without one), system, and the versions that decide the speed."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "gpu": "none" if why_no_cuda() else torch.cuda.get_device_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "openvino": openvino.__version__.split("-")[0],
    }


def has_screen() -> bool:
    """Whether a window, or a browser, would be seen."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in DISPLAYS)


def peak_memory_mb() -> float:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if platform.system() == "Darwin" else 1024)


def cpu_s_of(pid: int) -> float:
    """Processor time that another process has used so far; 0 where there is no /proc to tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb_of(pid: int) -> int:
    """Resident size of another process now; 0 where there is no /proc to tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
