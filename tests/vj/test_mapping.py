"""From a knob to a control: Ngx's map, soft take-over, what is learned and kept in a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from stylizer.controls import Value, defaults
from stylizer.errors import BadInput
from stylizer.vj.inputs.mapping import Binding, Mapper, ngx_map, read_map, save_map


def test_ngx_map_does_what_ngx_does() -> None:
    mapper = Mapper(ngx_map(["spirals", "flames", "ink", "silk", "cells"]), soft=False)
    now = defaults("vj")
    for address, position, expected in [
        ("cc:0:77", 1.0, {"crossfade": 1.0}),
        ("cc:0:80", 0.5, {"noise_3": 0.5}),
        ("cc:0:81", 1.0, {"rate": 0.0}),
        ("cc:0:81", 0.0, {"rate": 1.0}),
        ("cc:0:82", 1.0, {"rate": 2.0}),
        ("cc:0:56", 1.0, {"hue": 0.5}),
        ("cc:0:55", 0.5, {"hue": 0.25}),
        ("note:0:57", 1.0, {"model_a": "cells"}),
        ("note:0:57", 0.0, {}),
        ("note:0:74", 0.2, {"model_b": "flames"}),
        ("note:0:92", 1.0, {}),  # the eighth model is not there
    ]:
        assert mapper.change(address, position, now) == expected


def test_soft_take_over_waits_for_the_knob_to_meet_the_control() -> None:
    mapper = Mapper([Binding("cc:0:1", "invert")])
    now: dict[str, Value] = {"invert": 0.5}
    assert mapper.change("cc:0:1", 0.0, now) == {}
    assert mapper.change("cc:0:1", 0.3, now) == {}
    assert mapper.change("cc:0:1", 0.6, now) == {"invert": 0.6}  # passed it on the way
    now["invert"] = 0.6
    assert mapper.change("cc:0:1", 0.9, now) == {"invert": 0.9}  # and holds it
    now["invert"] = 0.1  # a preset came
    assert mapper.change("cc:0:1", 0.8, now) == {}


def test_where_a_knob_stood_before_it_was_pulled_is_no_way_past_its_control() -> None:
    mapper, now = Mapper([Binding("cc:0:1", "invert")]), {"invert": 0.5}
    assert mapper.change("cc:0:1", 0.2, dict(now)) == {}
    mapper.unplugged(["cc:0:1"])
    assert mapper.change("cc:0:1", 0.9, dict(now)) == {}  # turned in the air
    assert mapper.change("cc:0:1", 0.5, dict(now)) == {"invert": 0.5}


def test_a_pair_of_knobs_takes_over_where_it_meets_its_control() -> None:
    """A touch of Ngx's two knobs of `rate` threw away what a preset had set."""
    mapper, now = Mapper(ngx_map([])), defaults("vj")

    def turn(address: str, position: float) -> Value:
        now.update(mapper.change(address, position, now))
        return now["rate"]

    assert turn("cc:0:82", 0.0) == 1.0 and turn("cc:0:82", 0.2) == pytest.approx(1.2)
    assert turn("cc:0:81", 0.0) == pytest.approx(1.2) and turn("cc:0:81", 0.1) == pytest.approx(1.1)
    now["rate"] = 1.5  # a preset came
    assert turn("cc:0:82", 0.21) == 1.5 and turn("cc:0:81", 0.09) == 1.5
    assert turn("cc:0:82", 0.7) == pytest.approx(1.61)  # passed it on the way
    assert turn("cc:0:82", 0.8) == pytest.approx(1.71)


def test_learned_bindings_are_kept_in_a_file(tmp_path: Path) -> None:
    mapper = Mapper(soft=False)
    mapper.learn("zoom")
    assert mapper.change("cc:3:9", 1.0, defaults("vj")) == {"zoom": 1.1}
    save_map(tmp_path / "map.toml", mapper.bindings.values())
    assert read_map(tmp_path / "map.toml") == (Binding("cc:3:9", "zoom"),)
    with pytest.raises(BadInput, match="model_a needs a value"):
        mapper.learn("model_a")


def test_a_pad_switches_however_softly_it_is_struck() -> None:
    mapper = Mapper()
    mapper.learn("blackout")
    assert mapper.change("note:9:36", 20 / 127, defaults("vj")) == {"blackout": True}
    assert mapper.change("note:9:36", 0.0, defaults("vj")) == {"blackout": False}
    mapper.learn("freeze")
    assert mapper.change("cc:0:1", 20 / 127, defaults("vj")) == {"freeze": False}  # a knob has a middle


@pytest.mark.parametrize(
    "text, fault",
    [
        (b"\xff", "not TOML"),
        (b"a = ", "not TOML"),
        (b'"cc:0:1" = "nobody"', "no control is called 'nobody'"),
        (b'"cc:0:1" = "model_a"', "model_a needs a value"),
    ],
)
def test_a_wrong_map_is_named(tmp_path: Path, text: bytes, fault: str) -> None:
    (tmp_path / "map.toml").write_bytes(text)
    with pytest.raises(BadInput, match=f"map.toml: .*{fault}"):
        read_map(tmp_path / "map.toml")


def test_a_map_with_a_slip_in_it_is_not_written_over(tmp_path: Path) -> None:
    """A show that began without it saved the knobs of one evening in the place of all."""
    path, text = tmp_path / "map.toml", '"cc:0:1" = "zoom"\n"cc:0:2" = hue\n'
    path.write_text(text)
    save_map(path, [Binding("cc:0:3", "rate")])
    assert read_map(path) == (Binding("cc:0:3", "rate"),)
    assert (tmp_path / "map.toml.wrong").read_text() == text
    save_map(path, [Binding("cc:0:4", "rate")])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["map.toml", "map.toml.wrong"]


def test_a_map_that_cannot_be_saved_whole_stays_as_it_was(tmp_path: Path) -> None:
    """A file may not grow beyond some bytes: so a full disk looks to the writer."""
    path = tmp_path / "map.toml"
    save_map(path, [Binding("cc:0:1", "zoom")])
    code = f"""
import resource
import subprocess
import sys
from pathlib import Path
from stylizer.vj.inputs.mapping import Binding, save_map
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
save_map(Path({str(path)!r}), [Binding(f"cc:0:{{n}}", "rate") for n in range(100)])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 1
    assert read_map(path) == (Binding("cc:0:1", "zoom"),)
