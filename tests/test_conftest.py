"""The fixtures that other tests lean on."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Rng, find_shared


def test_the_same_seed_draws_the_same_numbers() -> None:
    np.testing.assert_array_equal(Rng().normal_f32(3, 4), Rng().normal_f32(3, 4))
    assert not np.array_equal(Rng(1).unit_f32(8), Rng(2).unit_f32(8))


def test_shared_files_are_searched_in_the_order_of_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "b" / "w.onnx").touch()
    monkeypatch.setenv("STYLIZER_MODELS", os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")]))
    assert find_shared("STYLIZER_MODELS", "models", "w.onnx") == tmp_path / "b" / "w.onnx"
    (tmp_path / "a" / "w.onnx").touch()
    assert find_shared("STYLIZER_MODELS", "models", "w.onnx") == tmp_path / "a" / "w.onnx"
    assert find_shared("STYLIZER_MODELS", "models", "other.onnx") is None
