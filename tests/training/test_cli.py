import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from stylizer.convert.toonify import load_style
from stylizer.errors import BadInput
from stylizer.training.cli import app
from stylizer.training.export import add_measures
from stylizer.weights.card import Card

QUICK = "pairs = 3\nphoto_steps = 1\nsteps_128 = 2\nsteps_256 = 1\nbatch_128 = 1\nbatch_256 = 1\nearly_256 = 9\n"


@pytest.mark.slow
def test_train_and_export_leave_a_style_with_an_honest_card(tmp_path: Path) -> None:
    runner, run, style = CliRunner(), tmp_path / "run", tmp_path / "tiny"
    run.mkdir()
    (run / "settings.toml").write_text(QUICK)
    threads = torch.get_num_threads()
    result = runner.invoke(app, ["toonify", "--data", "characters", "--out", str(run), "--threads", "1"])
    torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    result = runner.invoke(app, ["export", str(run), str(style), "--weak", "everything", "--pairs", "2"])
    assert result.exit_code == 0, result.output
    card = Card.read(style)
    assert (card.steps, card.seed, card.weak_points) == (3, 1, ("everything",))
    names = ("ms_ssim", "silhouette_iou", "hue_agreement", "l1", "swd_to_drawings", "swd_to_photos")
    assert {f"pairs_{name}" for name in names} == set(card.measures)
    assert load_style(style / card.weights).config.z_dim == 16
    add_measures(style, {"film_flicker": 1.25})
    assert Card.read(style).measures["film_flicker"] == 1.25
    assert json.loads((run / "pairs" / "store.json").read_text())["count"] == 3


def test_a_refused_training_names_the_data_and_leaves_a_run_as_it_was(tmp_path: Path) -> None:
    small, run = tmp_path / "small", tmp_path / "run"
    (tmp_path / "s.toml").write_text("seed = 7\n")
    assert CliRunner().invoke(app, ["data", "characters", str(small), "--pairs", "1", "--size", "64"]).exit_code == 0
    run.mkdir()
    (run / "data.txt").write_text("what it was trained on")
    common = ["--out", str(run), "--settings", str(tmp_path / "s.toml")]
    for arguments, words in (
        (["toonify", "--data", str(small)], f"{small}: its pairs have 64 px"),
        (["stylegan2", str(small), "--side", "front"], "side: must be one of photo, drawing"),
    ):
        result = CliRunner().invoke(app, [*arguments, *common])
        assert isinstance(result.exception, BadInput) and str(result.exception).startswith(words)
        assert not (run / "settings.toml").exists()  # the next command without settings would take them
        assert (run / "data.txt").read_text() == "what it was trained on"


def test_export_wants_weak_points_and_a_run(tmp_path: Path) -> None:
    for arguments, words in ((["--weak", "x"], "no checkpoint"), ([], "--weak")):
        result = CliRunner().invoke(app, ["export", str(tmp_path), str(tmp_path / "style"), *arguments])
        assert isinstance(result.exception, BadInput)
        assert words in str(result.exception)
