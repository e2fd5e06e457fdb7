import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from stylizer.cli import app
from stylizer.errors import BadInput, ModelMissing
from stylizer.training import evaluate
from stylizer.training.evaluate import beyond, films, summary, together
from stylizer.weights.card import Scalar


def test_a_drawing_that_equals_the_person_scores_best() -> None:
    person = torch.rand(3, 4, 48, 48, generator=torch.Generator().manual_seed(0))
    person[:, 3] = 0
    person[:, 3, 8:40, 16:32] = 1
    same = summary(person, person)
    assert same["film_frames"] == 3
    assert same["film_silhouette_iou"] == 1
    assert same["film_flicker"] == 1
    assert same["film_hue_agreement"] > 0.99
    half = person.clone()
    half[:, 3, 24:] = 0
    assert summary(person, half)["film_silhouette_iou"] == 0.5


def test_several_films_become_one_set_of_numbers() -> None:
    rows = [
        {"film_frames": 10.0, "film_silhouette_iou": 0.9, "film_silhouette_iou_lowest": 0.7},
        {"film_frames": 20.0, "film_silhouette_iou": 0.8, "film_silhouette_iou_lowest": 0.5},
    ]
    wanted = {"film_frames": 30.0, "film_silhouette_iou": 0.85, "film_silhouette_iou_lowest": 0.5}
    assert together(rows) == pytest.approx(wanted)


def test_five_percent_are_told_apart() -> None:
    card: dict[str, Scalar] = {"film_flicker": 1.0, "pairs_l1": 0.02, "title": "words", "film_frames": 48.0}
    assert beyond({"film_flicker": 1.04, "pairs_l1": 0.022, "new": 3.0}, card) == ["pairs_l1"]
    assert beyond({"film_flicker": float("nan")}, card) == ["film_flicker"], "no number is near none"


def test_a_card_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "report", lambda *_, **__: pytest.fail("measured for minutes"))
    result = CliRunner().invoke(app, ["evaluate", "anime", "--card", str(tmp_path / "nowhere")])
    assert isinstance(result.exception, ModelMissing), result.output


def test_footage_is_a_film_or_a_folder_of_films(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither a film nor a folder"):
        films(tmp_path)
    for name in ("b.mp4", "a.MOV", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [film.name for film in films(tmp_path)] == ["a.MOV", "b.mp4"]
    assert films(tmp_path / "b.mp4") == [tmp_path / "b.mp4"]


@pytest.mark.slow
def test_the_command_measures_again_what_the_card_says(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZER_MODELS", "")
    monkeypatch.setenv("STYLIZER_CACHE", str(cache))
    monkeypatch.setenv("STYLIZER_ENGINE", "torch")  # nothing to convert
    result = CliRunner().invoke(app, ["evaluate", "anime", "--frames", "3", "--pairs", "2", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert {"pairs_ms_ssim", "pairs_swd_to_drawings", "clip_flicker", "clip_silhouette_iou"} <= said["measures"].keys()
    assert said["measures"]["pairs_silhouette_iou"] == pytest.approx(said["card"]["pairs_silhouette_iou"], rel=0.1)
    assert said["measures"]["clip_frames"] == 3
