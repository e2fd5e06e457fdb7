"""The commands, as a user types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stylizer.errors import BadInput, ModelRejected
from stylizer.stylegan2.generator import Generator, GeneratorConfig
from stylizer.stylegan2.synthesis import SynthesisConfig
from stylizer.weights import registry
from stylizer.weights.cli import models_app, styles_app
from tests.weights.server import Script, serving
from tests.weights.test_registry import BODY, flip, make_style, parts_at


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STYLIZER_MODELS", str(tmp_path / "mine"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.parametrize("target", ["net.pt", "net", "nowhere/net.safetensors", "folder.safetensors"])
def test_an_import_refuses_a_target_that_it_cannot_write_and_keeps_the_source(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = GeneratorConfig(SynthesisConfig(widths=(4, 4), first=4, w_dim=4), z_dim=4, mapping_layers=1)
    monkeypatch.setattr("stylizer.stylegan2.checkpoint.import_generator", lambda path: Generator(config))
    source = tmp_path / "net.pt"
    source.write_bytes(b"weights of others")
    (tmp_path / "folder.safetensors").mkdir()
    result = CliRunner().invoke(models_app, ["import", str(source), str(tmp_path / target)])
    assert isinstance(result.exception, BadInput) and f"{target}: allowed is" in str(result.exception)
    assert source.read_bytes() == b"weights of others"


BROUGHT = ("pose", "silhouette", "mesh")  # inside a package that is always installed


def test_list_names_every_part_and_why_it_is_missing() -> None:
    result = CliRunner().invoke(models_app, ["list", "--json"])
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    states = {row["part"]: row["state"] for row in rows}
    assert states == dict.fromkeys(("person", "matte", "segmentation"), "missing") | dict.fromkeys(BROUGHT, "found")
    assert all("stylizer models pull" in row["why"] for row in rows if row["state"] == "missing")
    assert "stylizer models pull matte" in CliRunner().invoke(models_app, ["list"]).stderr


def test_pull_then_list_then_verify_then_a_flipped_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Script(BODY)) as url:
        monkeypatch.setattr(registry, "manifest", lambda: parts_at(url))
        pulled = CliRunner().invoke(models_app, ["pull", "--all"])
    assert pulled.exit_code == 0, pulled.output
    file = tmp_path / "cache" / "models" / "best.pt"
    assert str(file) in pulled.stderr
    assert json.loads(CliRunner().invoke(models_app, ["list", "--json"]).stdout)[0]["file"] == str(file)
    assert "ok" in CliRunner().invoke(models_app, ["verify"]).stdout
    flip(file)
    verified = CliRunner().invoke(models_app, ["verify", "--json"])
    assert verified.exit_code == 1
    assert isinstance(verified.exception, ModelRejected)
    assert json.loads(verified.stdout)[0]["state"] == "changed"
    assert json.loads(CliRunner().invoke(models_app, ["list", "--json"]).stdout)[0]["state"] == "changed"


def test_pull_missing_leaves_alone_what_the_user_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(BODY)
    with serving(script) as url:
        monkeypatch.setattr(registry, "manifest", lambda: parts_at(url))
        (tmp_path / "mine" / "derived").mkdir(parents=True)
        (tmp_path / "mine" / "derived" / "second.onnx").write_bytes(b"his own")
        assert CliRunner().invoke(models_app, ["pull", "--missing"]).exit_code == 0
        assert script.seen == []
        (tmp_path / "mine" / "derived" / "second.onnx").unlink()
        assert CliRunner().invoke(models_app, ["pull", "--missing"]).exit_code == 0
        assert len(script.seen) == 1


@pytest.mark.parametrize("arguments", [["pull"], ["pull", "person", "--all"], ["pull", "--all", "--missing"]])
def test_pull_wants_one_thing(arguments: list[str]) -> None:
    result = CliRunner().invoke(models_app, arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, BadInput)


def test_styles_are_listed_with_their_cards_and_bad_cards_named(tmp_path: Path) -> None:
    make_style(tmp_path / "mine" / "styles", "ink")
    bad = make_style(tmp_path / "mine" / "styles", "pen")
    (bad / "card.toml").write_text("name = 3")
    result = CliRunner().invoke(styles_app, ["list", "--json"])
    assert result.exit_code == 0
    mine = [entry for entry in json.loads(result.stdout) if entry["origin"] == "search path"]
    assert [(entry["name"], entry["kind"], entry["weak_points"]) for entry in mine] == [("ink", "toonify", ["hands"])]
    assert f"refused: {bad / 'card.toml'}" in result.stderr
    assert "ink" in CliRunner().invoke(styles_app, ["list"]).stdout
