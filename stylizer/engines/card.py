"""Whether torch computes on this machine's card, in words; and what no thread may do while another captures a graph."""

import ctypes
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from threading import Lock

import torch

from kernels.card import why_no_card
from stylizer.errors import first_line

# While one thread captures a graph no other may wait for the whole card: CUDA refuses that and ends the capture. torch
# waits so before each capture, ONNX Runtime when it opens a session; whoever does takes this first.
ALONE = Lock()


@cache
def why_no_cuda() -> str:
    """Why torch computes on no card; empty where it does. Asked once: no card comes to a process that runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch says of an old driver is said below, with what to do
        there = torch.cuda.is_available()
    if not there:
        return "no CUDA device was found: " + (why_no_card() or _too_old() or "torch and NVIDIA's driver do not fit")
    try:
        if misfit := unfit(
            torch.cuda.get_device_name(), torch.cuda.get_device_capability(), torch.cuda.get_arch_list()
        ):
            return misfit
        torch.zeros(1, device="cuda").add_(1).cpu()
    except RuntimeError as error:  # taken by another process alone, full, or fallen off its bus
        return f"the card does not compute: {first_line(error)}"
    return ""


def lost() -> str:
    """What the card says from now on to whatever it is asked in this process; empty while it answers.

    Never waits; while a graph is captured it is not asked.
    """
    if not _begun() or not ALONE.acquire(blocking=False):
        return ""
    try:
        torch.cuda.current_stream().query()
    except RuntimeError as error:
        return first_line(error)
    finally:
        ALONE.release()
    return ""


def memory_mb() -> int:
    """In use on torch's card by all processes, CUDA's own share included; 0 while torch works on none."""
    if not _begun():
        return 0
    try:
        free, total = torch.cuda.mem_get_info()
    except RuntimeError:  # `lost` says why
        return 0
    return (total - free) >> 20


def unfit(name: str, capability: tuple[int, int], architectures: Sequence[str]) -> str:
    """What torch has kernels for, where a card is not among it; empty where it is.

    architectures: as torch names them, sm_90 for machine code, compute_90 for what the driver makes some of.
    """
    major, minor = capability
    for kind, number in (each.rstrip("af").split("_") for each in architectures):
        other = divmod(int(number), 10)
        if other <= (major, minor) and (other[0] == major or kind == "compute"):
            return ""
    return (
        f"{name} is of compute capability {major}.{minor}, torch {torch.__version__} is for {', '.join(architectures)}"
    )


def _begun() -> bool:
    """Whether torch works on a card: only to ask would begin with one."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def _too_old() -> str:
    """Of a driver that knows an older CUDA than torch was built with; empty where that is not the trouble."""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built without CUDA"
    version = driver_version()
    if version // 1000 >= int(torch.version.cuda.split(".")[0]):
        return ""
    known = f"{version // 1000}.{version % 1000 // 10}"
    return f"NVIDIA's driver is for CUDA {known}, torch for {torch.version.cuda}; install a newer driver"


def driver_version() -> int:
    """The newest CUDA that NVIDIA's driver knows, 13020 for 13.2."""
    version = ctypes.c_int(0)
    ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    return version.value
