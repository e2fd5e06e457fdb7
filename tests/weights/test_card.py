"""A card says everything, or says what is wrong with it."""

import math
from pathlib import Path

import pytest

from stylizer.errors import ModelMissing, ModelRejected
from stylizer.weights import Card, Kind
from stylizer.weights.card import Told

FULL = Card(
    name="ink",
    title='Tinte "fein" é\x7f',
    kind=Kind.PIX2PIX,
    data="drawn figures,\nlit at random",
    licence="AGPL-3.0-or-later",
    seed=7,
    steps=20_000,
    hours=1.5,
    machine="2 cores",
    weak_points=("hands", "back views"),
    sha256="0" * 64,
    measures={"psnr_db": 21.5, "worst_db": -math.inf, "noted": "on the test set"},
    network={"width": 16, "skips": True, "channels": [16, 32]},
    ja=Told(title="インク", weak_points=("手", "後ろ姿")),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "ink").mkdir()
    (tmp_path / "ink" / "card.toml").write_text(FULL.to_toml(), encoding="utf-8")
    assert Card.read(tmp_path / "ink") == FULL


def test_what_a_card_does_not_say_in_a_language_is_read_in_english() -> None:
    told = FULL.told_in("ja")
    assert (told.title, told.weak_points, told.data) == ("インク", ("手", "後ろ姿"), FULL.data)
    assert FULL.told_in("fr") == FULL


@pytest.mark.parametrize(
    "name, title", [("chalk", "Chalk"), ("ink-wash_2", "Ink Wash 2"), ("0", "0"), ("a--b_", "A B")]
)
def test_a_card_without_a_title_is_called_after_its_name(name: str, title: str, tmp_path: Path) -> None:
    card = FULL.model_copy(update={"name": name, "ja": None})
    (tmp_path / name).mkdir()
    text = "".join(line for line in card.to_toml().splitlines(True) if not line.startswith("title"))
    (tmp_path / name / "card.toml").write_text(text, encoding="utf-8")
    read = Card.read(tmp_path / name)
    assert read.title == title == read.told_in("ja").title


@pytest.mark.parametrize(
    "old, new, says",
    [
        ('kind = "pix2pix"', 'kind = "watercolour"', "kind: Input should be 'toonify', 'pix2pix' or 'image_model'"),
        ('licence = "AGPL-3.0-or-later"\n', "", "licence: Field required"),
        ("steps = ", "stepps = ", "stepps: Extra inputs"),
        ('"title" = "インク"', '"titel" = "インク"', "ja.titel: Extra inputs"),
        (
            'weights = "weights.safetensors"',
            'weights = "../secret"',
            "weights: Value error, must be the name of a file",
        ),
        ('name = "ink"', 'name = "pen"', "name = 'pen', its folder is 'ink'"),
        ('name = "ink"', 'name = "ink', "is not TOML"),
        ("seed = 7", "seed = " + "7" * 5000, "is not TOML: Exceeds the limit"),
    ],
)
def test_a_bad_card_names_its_file_and_field(old: str, new: str, says: str, tmp_path: Path) -> None:
    folder = tmp_path / "ink"
    folder.mkdir()
    text = FULL.to_toml()
    assert old in text
    (folder / "card.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ModelRejected) as caught:
        Card.read(folder)
    assert says in str(caught.value)
    assert str(folder / "card.toml") in str(caught.value)


def test_no_card_no_style(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"card\.toml"):
        Card.read(tmp_path)
