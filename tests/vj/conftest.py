"""A bank of small untrained models: the instrument's own behaviour does not depend on what was learned."""

from pathlib import Path

import pytest

from kernels.weights import random_weights
from stylizer.vj.bank import Bank, Model

SMALL = {"model_a": "one", "model_b": "two", "output_size": "256"}


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """Models of 2 filters, one of them of 4; spirals and flames are what the table of controls asks for at first."""
    bank = Bank(tmp_path)
    for name, filters, seed in (("one", 2, 1), ("two", 2, 2), ("wide", 4, 3), ("spirals", 2, 1), ("flames", 2, 2)):
        weights = random_weights(filters, seed)
        # Untrained weights are drawn at 0.02: nearly nothing comes out. Times ten the loop has something to show.
        bank.add(Model(name, filters, {n: w * 10 if n.endswith("kernel") else w for n, w in weights.items()}))
    return bank
