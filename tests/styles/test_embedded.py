"""The embedded styles: what each promises on its card, on drawn people and on a real one."""

import hashlib
from pathlib import Path

import pytest

from stylizer import styles
from stylizer.convert.toonify import load_style
from stylizer.pipeline import Pipeline
from stylizer.training.evaluate import evaluate
from stylizer.training.export import measure
from stylizer.weights.card import Card
from tests.conftest import Finder

EMBEDDED = Path(styles.__file__).parent
NAMES = ("anime", "comic", "paper")


def test_these_are_all_of_them() -> None:
    assert tuple(sorted(path.parent.name for path in EMBEDDED.glob("*/card.toml"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_its_card_fits_its_weights(name: str) -> None:
    card = Card.read(EMBEDDED / name)
    weights = EMBEDDED / name / card.weights
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == card.sha256
    assert weights.stat().st_size <= 10_000_000
    assert card.weak_points and card.measures and card.licence == "AGPL-3.0-or-later"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_draws_figures_it_has_never_seen_where_they_stand(name: str) -> None:
    numbers = measure(load_style(EMBEDDED / name / "weights.safetensors"), 8, name)
    assert numbers["pairs_silhouette_iou"] > 0.94
    assert numbers["pairs_ms_ssim"] > 0.78
    assert numbers["pairs_hue_agreement"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "iou", "flicker", "hue"),
    [("anime", 0.93, 1.25, 0.75), ("comic", 0.9, 1.5, 0.75), ("paper", 0.93, 1.1, 0.9)],
)
def test_it_draws_the_juggling_man_in_his_pose(
    name: str, iou: float, flicker: float, hue: float, media: Finder, full_pipeline: Pipeline
) -> None:
    numbers = evaluate(full_pipeline, name, media("sam2_juggle.mp4"), 24)
    assert numbers["film_frames"] >= 20
    assert numbers["film_silhouette_iou"] > iou
    assert numbers["film_flicker"] < flicker
    assert numbers["film_hue_agreement"] > hue
