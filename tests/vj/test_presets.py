"""Presets survive a round trip, name their faults, and the embedded ones can all be played."""

from pathlib import Path

import pytest

from stylizer.controls import CONTROLS, Value, defaults
from stylizer.errors import BadInput, NotFound
from stylizer.vj.bank import Bank
from stylizer.vj.inputs.modulation import Modulator
from stylizer.vj.presets import Preset, between, find_preset, parse_preset, presets, read_preset, without_masters


def test_every_kind_of_value_comes_back(tmp_path: Path) -> None:
    controls: dict[str, Value] = {
        "rate": 0.1 + 0.2,
        "segments": 7,
        "freeze": True,
        "fold": "quad",
        "model_a": 'a "name"\\with\nall',
    }
    preset = Preset("mine", 'My "own" \\ show', controls)
    (tmp_path / "mine.toml").write_text(preset.to_toml(), encoding="utf-8")
    assert read_preset(tmp_path / "mine.toml") == preset


def test_a_preset_that_was_saved_by_an_editor_of_windows_is_read() -> None:
    preset = parse_preset('\ufefftitle = "Mine"\r\n[controls]\r\nhue = 0.25\r\n'.encode(), "mine", "mine.toml")
    assert (preset.title, preset.controls) == ("Mine", {"hue": 0.25})


@pytest.mark.parametrize("name", presets())
def test_embedded_presets_name_models_that_are_there(name: str) -> None:
    values = find_preset(name).values
    assert values.keys() == without_masters(defaults("vj")).keys() - {"inject"}
    assert {values["model_a"], values["model_b"]} <= set(Bank().names)


@pytest.mark.parametrize(
    "text, fault",
    [
        ("title = 3\n[controls]", "a title, a table"),
        ("[controls]\nrate = 9", "rate: got 9, allowed is 0 to 2"),
        ("[controls]\nnobody = 1", "no control is called 'nobody'"),
        ('[controls]\nstyle = "anime"', "style belong to another page"),
        ("[controls]\n[more]", "nothing else"),
        ("[", "not TOML"),
        ("a = " + "[" * 20_000, "nested too deep"),
        ("a = " + "1" * 5000, "Exceeds the limit"),
    ],
)
def test_a_bad_preset_is_refused_with_its_fault(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(BadInput, match=r"bad\.toml.*" + fault):
        read_preset(tmp_path / "bad.toml")


def test_unknown_presets_are_named() -> None:
    with pytest.raises(NotFound, match="ngx"):
        find_preset("nobody")


def test_between_two_presets_is_exact_at_both_ends() -> None:
    a = defaults("vj")
    b = a | {"rate": 1.7, "segments": 9, "fold": "quad", "freeze": True, "model_a": "flames"}
    assert between(a, b, 0) == a
    assert between(a, b, 1) == b
    half = between(a, b, 0.5)
    assert (half["rate"], half["segments"], half["fold"]) == (1.35, 8, "quad")
    assert all(CONTROLS[name].check(value) == value for name, value in half.items())


def test_sound_is_written_as_text_and_in_presets(tmp_path: Path) -> None:
    row = Modulator.parsed("low>zoom gain=0.02 release_s=0.4,hi=1.05")
    assert row == Modulator("low", "zoom", gain=0.02, release_s=0.4, hi=1.05)
    preset = Preset("mine", "Mine", {"rate": 0.9}, (row, Modulator("beat", "invert")))
    (tmp_path / "mine.toml").write_text(preset.to_toml())
    assert read_preset(tmp_path / "mine.toml") == preset


NAN = [f"low>zoom {name}=nan" for name in ("gain", "attack_s", "release_s", "lo", "hi")] + ["low>zoom gain=inf"]


@pytest.mark.parametrize("text", ["", "low", "low>zoom gain=much", "low>zoom speed=1", "nobody>zoom", "low>fold", *NAN])
def test_sound_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Modulator.parsed(text)
