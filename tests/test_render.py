"""Films through the whole pipeline with real networks, and every way in which that can go wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from stylizer.cli import app, main
from stylizer.cli_report import valid_json
from stylizer.errors import StylizerError, Unreadable
from stylizer.frame import Frame
from stylizer.media import Reader, Writer
from stylizer.picture import encode_picture, read_picture
from stylizer.pipeline import Pipeline
from stylizer.render import Report, render
from stylizer.styles import CLIP
from tests.conftest import CHECKOUT, Finder


def quiet(done: int, expected: int) -> None:
    """Nobody watches."""


def shortened(source: Path, target: Path, frames: int) -> Path:
    with Reader(source) as reader, Writer(target, reader) as writer:
        for frame, _ in zip(reader, range(frames), strict=False):
            writer.write(frame)
    return target


@pytest.fixture(scope="module")
def juggler(media: Finder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shortened(media("sam2_juggle.mp4"), tmp_path_factory.mktemp("film") / "juggler.mp4", 30)


def test_real_film_becomes_a_drawn_film(full_pipeline: Pipeline, juggler: Path, tmp_path: Path) -> None:
    report = render(full_pipeline, juggler, tmp_path / "out.mp4", {"framing": "scene", "background": "blur"}, quiet)
    assert (report.frames_in, report.frames_out) == (30, 30)
    assert (report.frames_failed, report.frames_without_person, report.frames_broken) == (0, 0, 0)
    assert set(report.stages_ms) == {"detect", "track", "face", "crop", "matte", "convert", "closeup", "compose"}
    assert report.latency_ms["p50"] <= report.latency_ms["p95"] <= report.latency_ms["p99"]
    assert report.ladder["person"]["why"] == report.ladder["matte"]["why"] == ""
    json.dumps(report.to_dict())
    with Reader(juggler) as before, Reader(tmp_path / "out.mp4") as after:
        pairs = list(zip(before, after, strict=True))
    for was, now in pairs[5:]:
        assert now.size == was.size and now.time_s == pytest.approx(was.time_s, abs=1e-3)
        assert np.abs(now.pixels.astype(int) - was.pixels).mean() > 4  # neither the camera's picture …
    assert np.std([frame.pixels.mean() for _, frame in pairs]) < 10  # … nor a flicker


def test_strength_0_and_1_draw_differently(full_pipeline: Pipeline, juggler: Path) -> None:
    with Reader(juggler) as reader:
        frames = [frame for frame, _ in zip(reader, range(4), strict=False)]
    results = []
    for strength in (0.0, 1.0):
        state = full_pipeline.new_state({"style_strength": strength})
        for frame in frames:
            (last,) = full_pipeline.step([frame], [state])
        assert state.error is None
        results.append(last.pixels.astype(int))
    assert np.abs(results[0] - results[1]).mean() > 0.5


@pytest.mark.parametrize("size", [(33, 57), (1, 1), (7, 300), (2048, 1536)])
def test_any_size_passes(full_pipeline: Pipeline, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    frame = Frame(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8), 0)
    for framing, wanted in (("scene", size), ("figure", (512, 512))):
        state = full_pipeline.new_state({"framing": framing})
        (result,) = full_pipeline.step([frame], [state])
        assert state.error is None and result.size == wanted


def test_picture_becomes_a_drawn_picture(full_pipeline: Pipeline, media: Finder, tmp_path: Path) -> None:
    report = render(full_pipeline, media("bus.jpg"), tmp_path / "out.png", {"framing": "scene"}, quiet)
    assert (report.frames_in, report.frames_out) == (1, 1)
    assert read_picture(tmp_path / "out.png").shape == read_picture(media("bus.jpg")).shape


def test_last_rungs_draw_too_and_say_so(bare_pipeline: Pipeline, tmp_path: Path) -> None:
    source = shortened(CLIP, tmp_path / "clip.mp4", 12)
    report = render(bare_pipeline, source, tmp_path / "out.mp4", {}, quiet)
    assert (report.frames_out, report.frames_failed) == (12, 0)
    assert "pull person" in report.ladder["person"]["why"] and "pull matte" in report.ladder["matte"]["why"]


def test_own_picture_stands_behind_the_person(full_pipeline: Pipeline, media: Finder, tmp_path: Path) -> None:
    green = np.zeros((40, 40, 3), np.uint8)
    green[:] = 10, 250, 20
    controls = {"framing": "scene", "background": "picture"}
    render(full_pipeline, media("zidane.jpg"), tmp_path / "out.png", controls, quiet, backdrop=green)
    corner = read_picture(tmp_path / "out.png")[:20, :20]
    assert np.abs(corner.astype(int) - (10, 250, 20)).max() <= 2


def test_nobody_in_view_is_counted(full_pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "wall.png").write_bytes(encode_picture(np.full((120, 160, 3), 90, np.uint8)))
    report = render(full_pipeline, tmp_path / "wall.png", tmp_path / "out.png", {}, quiet)
    assert report.frames_without_person == 1 and report.frames_out == 1


def test_unreadable_film_leaves_no_output(bare_pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no film")
    with pytest.raises(Unreadable, match=r"notes\.mp4"):
        render(bare_pipeline, tmp_path / "notes.mp4", tmp_path / "out.mp4", {}, quiet)
    assert not (tmp_path / "out.mp4").exists()


def test_a_wrong_file_is_told_before_anything_is_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STYLIZER_VISITORS", "0")  # were the settings read first, they would be what is wrong
    for names, wrong in ((("no[take 2].mp4", "out.mp4"), "no[take 2].mp4"), ((str(CLIP), "out.txt"), "out.txt")):
        monkeypatch.setattr(sys, "argv", ["stylizer", "render", *(str(tmp_path / name) for name in names)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1 and wrong in capsys.readouterr().err


@pytest.mark.parametrize(
    "given", [["render", str(CLIP), "{}/out.mp4", "--style", "nope"], ["vj", "play", "--preset", "nope"]]
)
def test_a_name_that_nothing_has_is_told_before_anything_is_loaded(
    given: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("networks were loaded")

    monkeypatch.setattr("stylizer.pipeline.Pipeline.open", loaded)
    monkeypatch.setattr("stylizer.vj.loop.open_loop", loaded)
    monkeypatch.setattr(sys, "argv", ["stylizer", *(word.format(tmp_path) for word in given)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1 and "'nope'; there are" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["{}/out.txt"], ["{}/out.mp4", "--sound-file", "{}/none.wav"]])
def test_a_wrong_file_of_a_show_is_told_before_anything_is_loaded(
    given: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("networks were loaded")

    monkeypatch.setattr("stylizer.vj.render.open_loop", loaded)
    monkeypatch.setattr(sys, "argv", ["stylizer", "vj", "render", *(word.format(tmp_path) for word in given)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1 and Path(given[-1]).name in capsys.readouterr().err


@pytest.mark.parametrize(
    "given", [["render", str(CLIP), "{}/out.mp4"], ["bench", "stages"], ["vj", "render", "{}/o.mp4"]]
)
def test_a_report_that_cannot_be_written_is_told_before_the_work(
    given: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments = [word.format(tmp_path) for word in given]
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(sys, "argv", ["stylizer", *arguments, "--json", str(tmp_path / "nowhere" / "report.json")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "report.json" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["in.png", "out.png"])
def test_a_report_never_takes_the_place_of_a_picture(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    picture, report = tmp_path / "in.png", tmp_path / name
    picture.write_bytes(before := encode_picture(np.full((64, 64, 3), 90, np.uint8)))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("STYLIZER_VISITORS", "0")  # ends what is not refused before the work
    command = ["stylizer", "render", str(picture), str(tmp_path / "out.png"), "--json", str(report)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 2 and name in told and ".json" in told
    assert picture.read_bytes() == before


def test_renders_help_says_what_render_does_without_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    told = CliRunner().invoke(app, ["render", "--help"]).output
    for words in ("plain | picture | blur | room; blur)", "figure | scene; scene)", "0 to 2147483647; 0)"):
        assert words in told


def test_numbers_that_json_does_not_know_are_null() -> None:
    text = valid_json({"a": [1.5, float("nan")], "b": {"c": -float("inf")}, "d": "歩"})
    told = json.loads(text, parse_constant=lambda word: word)
    assert told == {"a": [1.5, None], "b": {"c": None}, "d": "歩"}


def test_a_fault_of_the_machine_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["stylizer", "train", "data", "characters", str(tmp_path / "file" / "pairs")])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 1 and "file/pairs: Not a directory" in told and "Traceback" not in told


class Failing(Pipeline):
    """Its drawing always fails."""

    def draw(self, jobs):  # type: ignore[no-untyped-def]
        for job in jobs:
            job.error = RuntimeError("scripted fault")
        return jobs


def test_film_of_which_no_frame_could_be_drawn_is_an_error(bare_pipeline: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(StylizerError, match=r"no frame could be drawn.*scripted fault"):
        render(Failing(bare_pipeline._parts), shortened(CLIP, tmp_path / "clip.mp4", 5), tmp_path / "o.mp4", {}, quiet)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_playable_film_and_the_report(sign: signal.Signals, cache: Path, tmp_path: Path) -> None:
    output, report = tmp_path / "out.mp4", tmp_path / "report.json"
    command = [sys.executable, "-m", "stylizer", "render", str(CLIP), str(output), "--json", str(report)]
    environment = os.environ | {"STYLIZER_MODELS": "", "STYLIZER_CACHE": str(cache), "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (tmp_path / "out.mp4.part").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(sign)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    told = Report(**json.loads(report.read_text()))
    assert told.interrupted and told.frames_out >= 1
    with av.open(str(output)) as film:
        assert sum(1 for _ in film.decode(video=0)) == told.frames_out
