"""Fixtures for everybody: one seeded random source, real weights and footage, and the rule for tests that need a GPU.

Weights are searched on STYLIZER_MODELS, footage on STYLIZER_MEDIA (both written like PATH); where a variable is absent,
in `../shared/models` and `../shared/media` beside the checkout. What is not there skips its tests, with the reason.
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stylizer.config import Settings
from stylizer.pipeline import Pipeline

CHECKOUT = Path(__file__).resolve().parents[1]
Finder = Callable[[str], Path]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a GPU `gpu` tests skip, unless REQUIRE_GPU=1: then they run, and fail."""
    wanted = item.get_closest_marker("gpu") is not None
    if wanted and not torch.cuda.is_available() and os.environ.get("REQUIRE_GPU") != "1":
        pytest.skip("no CUDA device (REQUIRE_GPU=1 makes this a failure)")


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """A command that a test runs in this process switches Python's collector off for the time of its start."""
    yield
    gc.enable()


class Rng:
    """Random arrays from one seed; the same test draws the same numbers on every run and machine."""

    def __init__(self, seed: int = 20_240) -> None:
        self.numpy = np.random.default_rng(seed)

    def normal_f32(self, *shape: int) -> NDArray[np.float32]:
        return self.numpy.standard_normal(shape, dtype=np.float32)

    def unit_f32(self, *shape: int) -> NDArray[np.float32]:
        """Uniform in 0..1."""
        return self.numpy.random(shape, dtype=np.float32)

    def pixels_u8(self, *shape: int) -> NDArray[np.uint8]:
        """Uniform in 0..255."""
        return self.numpy.integers(0, 256, shape, dtype=np.uint8)

    def torch(self) -> torch.Generator:
        """A generator for torch's own calls, seeded from this source."""
        return torch.Generator().manual_seed(int(self.numpy.integers(2**31)))


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """Streamlit's AppTest leaves its page as `__main__`; a process spawned later would run that and die."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def rng() -> Rng:
    return Rng()


def find_shared(variable: str, folder: str, name: str) -> Path | None:
    """`name` in the folders of `variable`, or in `../shared/<folder>` where that is absent or empty."""
    folders = [Path(p) for p in os.environ.get(variable, "").split(os.pathsep) if p]
    return next((f / name for f in folders or [CHECKOUT.parent / "shared" / folder] if (f / name).exists()), None)


def _finder(variable: str, folder: str) -> Finder:
    def find(name: str) -> Path:
        if (found := find_shared(variable, folder, name)) is None:
            pytest.skip(f"{name} is neither on {variable} nor in ../shared/{folder}")
        return found

    return find


@pytest.fixture(scope="session")
def weights() -> Finder:
    """weights("yolov5n_fp16.onnx") -> its path, or the test is skipped with the reason."""
    return _finder("STYLIZER_MODELS", "models")


@pytest.fixture(scope="session")
def media() -> Finder:
    """media("sam2_juggle.mp4") -> its path, or the test is skipped with the reason."""
    return _finder("STYLIZER_MEDIA", "media")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole run: converting a network takes seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session", autouse=True)
def own_cache(cache: Path) -> Iterator[None]:
    """Whoever asks the settings for one gets that too, child processes as well: the user's own is left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLIZER_CACHE", str(cache))
        yield


@pytest.fixture(scope="session")
def bare_pipeline(cache: Path) -> Pipeline:
    """The last rungs: no weights but those that come with the project and its libraries."""
    return Pipeline.open(Settings.load(models=(), cache=cache))


@pytest.fixture(scope="session")
def full_pipeline(cache: Path, weights: Finder) -> Pipeline:
    """The first rungs on this machine: YOLOv5 and RobustVideoMatting."""
    folder = weights("yolov5n_fp16.onnx").parent
    weights("derived/rvm_mobilenetv3_fp32.onnx")
    return Pipeline.open(Settings.load(models=(folder,), cache=cache))
