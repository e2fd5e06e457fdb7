"""Broken cards and .pict files are refused in words, whatever is broken in them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.pict import BadWeights, dump_pict, parse_pict
from stylizer.errors import ModelRejected
from stylizer.weights import Card
from tests.weights.test_card import FULL

FUZZ = settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
PICT = dump_pict({"a": np.linspace(-1, 1, 60, dtype=np.float32).reshape(3, 20), "b": np.zeros(4, np.float32)})


def _spoilt(whole: bytes) -> st.SearchStrategy[bytes]:
    """A piece of it replaced by others' bytes, left out, or said twice."""

    def spoil(at: int, length: int, junk: bytes, again: bool) -> bytes:
        return whole[:at] + junk + whole[at if again else at + length :]

    return st.builds(spoil, st.integers(0, len(whole)), st.integers(0, 40), st.binary(max_size=20), st.booleans())


@FUZZ
@given(data=_spoilt(PICT) | st.binary(max_size=200))
def test_a_spoilt_pict_is_read_or_refused_by_name(data: bytes) -> None:
    try:
        weights = parse_pict(data, name="spoilt")
    except BadWeights as error:
        assert str(error).startswith("spoilt: ")
    else:
        assert all(np.isfinite(values).all() for values in weights.values())


@FUZZ
@given(text=_spoilt(FULL.to_toml().encode()))
def test_a_spoilt_card_is_read_or_refused_by_name(text: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "ink"
    folder.mkdir(exist_ok=True)
    (folder / "card.toml").write_bytes(text)
    try:
        card = Card.read(folder)
    except ModelRejected as error:
        assert str(folder / "card.toml") in str(error)
    else:
        assert card.name == "ink" and "/" not in card.weights


def test_a_card_nested_beyond_reason_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "ink"
    folder.mkdir()
    (folder / "card.toml").write_text("network = {a = " + "[" * 100_000)
    with pytest.raises(ModelRejected, match="not TOML"):
        Card.read(folder)
