"""Every kernel through NVRTC, on any machine.

It compiles for Turing, Ampere and Hopper, and the hot ones spill nothing.
"""

from functools import cache

import pytest

pytest.importorskip("cupy", reason="the CUDA compiler comes with cupy, which is not installed")

from kernels.compile import CARDS, all_kernels, occupancy  # noqa: E402  after the skip
from kernels.conv import first  # noqa: E402
from kernels.launch import Kernel, Ref  # noqa: E402
from kernels.nvrtc import Usage, compile_cubin, parse_usage  # noqa: E402
from kernels.weights import MAX_FILTERS, unet_layers  # noqa: E402

LOG = """ptxas info    : Compiling entry function 'k' for 'sm_90'
ptxas info    : Function properties for k
    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 8 bytes cumulative stack size, 17408 bytes smem
"""


@cache
def one_per_function() -> dict[str, Kernel]:
    """The one for the largest picture, of each function and each kind of it, in a 64-filter network;
    `python -m kernels.compile` does all of them."""
    kernels = [(kernel, dict(kernel.constants)) for kernel, _ in all_kernels(64)]
    by_size = sorted(kernels, key=lambda pair: pair[1].get("SIZE", 0))
    kinds = ("DECONV", "KIND", "MIX")
    return {
        " ".join([kernel.function, *(f"{n}={constants[n]}" for n in kinds if n in constants)]): kernel
        for kernel, constants in by_size
    }


@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90"])
@pytest.mark.parametrize("function", sorted(one_per_function()))
def test_kernel_compiles_and_spills_nothing(arch: str, function: str) -> None:
    cubin, usage = compile_cubin(one_per_function()[function], arch)
    assert cubin[:4] == b"\x7fELF"
    assert 0 < usage.registers <= 255 and usage.shared_bytes <= 48 << 10
    assert usage.spill_bytes == 0


def test_the_widest_network_that_is_taken_fits_into_shared_memory() -> None:
    """Encoder 1 keeps all its weights there; no other layer needs more for more filters."""
    layer = unet_layers(MAX_FILTERS)[0]
    launch = first(layer, Ref("x"), Ref("w"), Ref("b"), Ref("y"), y_stride=2 * MAX_FILTERS)
    assert compile_cubin(launch.kernel, "sm_75")[1].shared_bytes <= 48 << 10


def test_the_report_of_ptxas_is_read() -> None:
    assert parse_usage(LOG) == Usage(registers=40, shared_bytes=17408, spill_bytes=28)
    with pytest.raises(ValueError, match="no registers"):
        parse_usage("nothing")


@pytest.mark.parametrize(
    "arch, usage, threads, expected",
    [
        ("sm_75", Usage(64, 0, 0), 256, 1.0),
        ("sm_75", Usage(64, 40_000, 0), 128, 0.125),  # one block of 128 per 64 kB
        ("sm_90", Usage(128, 0, 0), 256, 0.25),  # 65536 registers hold 512 threads of 128
        ("sm_90", Usage(32, 1024, 0), 32, 0.5),  # 32 blocks of one warp
    ],
)
def test_occupancy_is_what_the_limits_allow(arch: str, usage: Usage, threads: int, expected: float) -> None:
    assert occupancy(CARDS[arch], usage, threads) == pytest.approx(expected)
