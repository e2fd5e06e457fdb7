"""The emulator notices what it must: each barrier of each kernel taken away, bounds not kept, copies not waited for."""

import itertools
import re
from collections.abc import Callable

import pytest

from tests.conftest import Rng
from tests.kernels import cases
from tests.kernels.cases import Case, layer
from tests.kernels.emulator import EmulatorError
from tests.kernels.test_kernels import FEEDBACKS, WILD

BARRIER = re.compile(r"__syncthreads\(\);")

# Cases in which every barrier of the source matters: several chunks per block, several warps, split sums and none.
CASES: dict[str, list[Callable[[Rng], Case]]] = {
    "conv_v2": [lambda rng: cases.fp32_case(2, layer("conv", 6, 37, 35), rng)],
    "conv_v3": [lambda rng: cases.fp32_case(3, layer("conv", 16, 32, 64), rng)],
    "conv_v4": [lambda rng: cases.fp16_case(4, layer("conv", 16, 48, 64), rng)],
    "conv_v5": [lambda rng: cases.fp16_case(5, layer("conv", 6, 48, 64), rng)],
    "conv_v6": [
        lambda rng: cases.fused_case(layer("deconv", 16, 16, 64), rng),  # no splits
        lambda rng: cases.fused_case(layer("deconv", 24, 48, 64), rng),  # three chunks per block
        lambda rng: cases.fused_case(layer("conv", 32, 32, 64), rng),  # splits and tiles
    ],
    "conv_v6 mixing": [
        lambda rng: cases.fused_case(layer("deconv", 16, 16, 64), rng, mix=0.3),
        lambda rng: cases.fused_case(layer("deconv", 24, 48, 64), rng, mix=0.3),
        lambda rng: cases.fused_case(layer("conv", 32, 32, 64), rng, mix=0.3),
    ],
    "norm": [lambda rng: cases.norm_case(8, 8, 2, False, rng)],
    "first": [lambda rng: cases.first_case(16, 16, rng)],
    "feedback": [lambda rng: cases.feedback_case(32, WILD, rng)],
    "colour": [lambda rng: cases.colour_case(32, WILD, rng)],
}
BARRIERS = {
    **{"conv_v2": 2, "conv_v3": 2, "conv_v4": 1, "conv_v5": 2, "conv_v6": 5, "conv_v6 mixing": 5},
    **{"norm": 2, "first": 1},
}
FEEDBACK_BARRIERS = [("feedback", 0), ("colour", 1), ("colour", 2)]  # one file, three barriers


def notices(case: Case, edit: Callable[[str], str]) -> bool:
    """Whether some order of blocks and warps gives an error or a wrong result after the edit."""
    orders = [{"reverse": reverse, "stall": stall} for stall in range(-1, 4) for reverse in (False, True)]
    for order in orders:
        try:
            if case.error(case.run(**order, edit=edit)) > case.tolerance:  # type: ignore[arg-type]
                return True
        except (EmulatorError, AssertionError):
            return True
    return False


def without_barrier(number: int) -> Callable[[str], str]:
    def edit(source: str) -> str:
        found = list(BARRIER.finditer(source))
        assert number < len(found)
        return source[: found[number].start()] + source[found[number].end() :]

    return edit


@pytest.mark.parametrize(
    "name, number", [*((n, i) for n, count in BARRIERS.items() for i in range(count)), *FEEDBACK_BARRIERS]
)
def test_every_barrier_is_missed_when_it_is_gone(rng: Rng, name: str, number: int) -> None:
    assert any(notices(make(rng), without_barrier(number)) for make in CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_all_barriers_of_the_sources_are_tried(rng: Rng, name: str) -> None:
    source = CASES[name][0](rng).launch.kernel.source()
    expected = BARRIERS.get(name, len(FEEDBACK_BARRIERS))
    assert len(BARRIER.findall(source)) == expected
    assert not any(notices(make(rng), lambda text: text + "\n// as it was") for make in CASES[name])


OUT_OF_BOUNDS = [
    ("conv_v2", "p < POSITIONS && r >= 0", "p < POSITIONS"),
    ("conv_v2", "if (k < COUT && position < POSITIONS)", "if (k < COUT)"),
    ("conv_v3", "if (position < POSITIONS) st", "st"),
    ("conv_v4", "s >= 0 && s < SIZE;\n            next", "s >= 0;\n            next"),
    ("conv_v5", "if (exists && position < POSITIONS)", "if (exists)"),
    ("conv_v6", "const bool inside = e < PIECES && r >= 0", "const bool inside = e < PIECES"),
    (
        "norm",
        "for (int p = row; p < PIXELS; p += 32) {\n        float v",
        "for (int p = row; p < 99; p += 32) {\n        float v",
    ),
    ("first", "const bool inside = r >= 0 &&", "const bool inside ="),
    ("feedback", "if (k < SIDE * SIDE * 3) st", "st"),
    ("feedback", "gain > 0 && t < SIDE * SIDE", "gain > 0"),
]


@pytest.mark.parametrize("name, guard, without", OUT_OF_BOUNDS)
def test_an_access_out_of_bounds_is_an_error(rng: Rng, name: str, guard: str, without: str) -> None:
    case = cases.feedback_case(37, WILD, rng) if name == "feedback" else CASES[name][-1](rng)
    if name == "conv_v3":
        case = cases.fp32_case(3, layer("conv", 4, 16, 16), rng)
    assert guard in case.launch.kernel.source()
    with pytest.raises(EmulatorError, match="out of bounds"):
        case.run(edit=lambda source: source.replace(guard, without))


# What blocks must not rely on, since a GPU's caches do not give it: (kernel, edit, what is said).
AMONG_BLOCKS = [
    ("conv_v6", "ld_fresh(tiles", "ld(tiles", "read-only load of what this launch stores"),
    ("conv_v6", "ld_fresh((const float4*)shares", "ld((const float4*)shares", "read-only load of what this"),
    ("norm", "ld_fresh(part + p * COUT + k) - mean;", "ld(part + p * COUT + k) - mean;", "read-only load of what this"),
    ("conv_v6", "fence();\n    __syncthreads();", "__syncthreads();", "without a fence between"),
    ("conv_v6", "__syncthreads();  // before is there\n    fence();", "__syncthreads();", "without a fence between"),
    ("conv_v6", "TILES * PHASES, thread)) return;", "TILES, thread)) return;", "store where block"),
]


@pytest.mark.parametrize("name, edit, without, said", AMONG_BLOCKS)
def test_what_only_a_gpu_would_punish_among_blocks_is_an_error(
    rng: Rng, name: str, edit: str, without: str, said: str
) -> None:
    made = [make(rng) for make in CASES[name]]
    assert edit in made[-1].launch.kernel.source()
    with pytest.raises(EmulatorError, match=said):
        for case, stall in itertools.product(made, (-1, 2, 3)):
            case.run(stall=stall, edit=lambda source: source.replace(edit, without))


BEYOND = [  # an array of shared memory
    ("conv_v2", "if (exists) xs", "xs"),
    ("conv_v6", "if (e < PIECES) *(uint4*)", "*(uint4*)"),
    ("conv_v6", "lane / 4) % TILE", "lane / 4)"),
]


@pytest.mark.parametrize("name, guard, without", BEYOND)
def test_an_index_beyond_shared_memory_is_an_error(rng: Rng, name: str, guard: str, without: str) -> None:
    case = cases.fused_case(layer("conv", 4, 16, 16), rng)
    if name == "conv_v2":
        case = cases.fp32_case(2, layer("conv", 2, 1, 1), rng)
    assert guard in case.launch.kernel.source()
    with pytest.raises(EmulatorError, match="beyond an array of shared memory"):
        case.run(edit=lambda source: source.replace(guard, without))


@pytest.mark.parametrize("name", ["conv_v6", "norm"])
@pytest.mark.parametrize("epsilon", ["1e-4f", "0"])
def test_another_epsilon_is_noticed(rng: Rng, name: str, epsilon: str) -> None:
    assert notices(CASES[name][0](rng), lambda source: source.replace("1e-5f", epsilon))


def test_a_picture_mirrored_more_than_once_is_noticed(rng: Rng) -> None:
    case = cases.feedback_case(37, FEEDBACKS["far"], rng)
    once = ("turns - 2 * floorf(turns / 2) > 0", "turns > 0")
    assert case.error(case.run(edit=lambda source: source.replace(*once))) > case.tolerance


def test_a_misaligned_vector_load_is_an_error(rng: Rng) -> None:
    case = CASES["conv_v3"][0](rng)
    with pytest.raises(EmulatorError, match="misaligned load of 16 bytes"):
        case.run(edit=lambda source: source.replace("x_stride + c0 + quad)", "x_stride + c0 + quad + 1)"))


WAITS = [
    ("conv_v4", "copies_wait<0>();"),
    ("conv_v6", "copies_wait<STAGES - 2>();"),
    ("conv_v6 mixing", "copies_wait<STAGES - 2>();"),
]


@pytest.mark.parametrize("name, wait", WAITS)
def test_a_copy_that_is_not_waited_for_is_noticed(rng: Rng, name: str, wait: str) -> None:
    assert notices(CASES[name][0](rng), lambda source: source.replace(wait, ""))


def test_a_barrier_that_not_all_threads_reach_is_an_error(rng: Rng) -> None:
    case = CASES["first"][0](rng)
    with pytest.raises(EmulatorError, match="barrier with 128 of 256 threads"):
        case.run(
            edit=lambda source: source.replace("__syncthreads();", "if (threadIdx.x >= 128) return; __syncthreads();")
        )


def test_a_shuffle_without_all_lanes_is_an_error(rng: Rng) -> None:
    case = CASES["norm"][0](rng)
    with pytest.raises(EmulatorError, match="warp operation with 31 of 32 lanes"):
        case.run(
            edit=lambda source: source.replace(
                "v += shuffle_xor(v, 8);", "if (threadIdx.x % 32) v += shuffle_xor(v, 8);"
            )
        )
