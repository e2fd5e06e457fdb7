"""What the studio's pages are made of, without a browser: comparison, training runs, presets."""

import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from streamlit import config
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.testing.v1 import AppTest

from stylizer.config import Settings
from stylizer.controls import CONTROLS, defaults
from stylizer.errors import BadInput, NoCapacity, NotFound
from stylizer.frame import Frame
from stylizer.live import Worker
from stylizer.styles import CLIP
from stylizer.vj.presets import Preset, parse_preset
from stylizer.weights import Registry
from stylizer.weights.manifest import parse_manifest
from tests.conftest import Finder
from tests.web.doubles import ColourPipeline, tinted
from tests.weights.server import Script, serving
from web.studio import bench_page, live_page, presets, resources
from web.studio.before_after import pair
from web.studio.comparison import side_by_side
from web.studio.launch import command
from web.studio.live_page import GROUPS, Stage
from web.studio.presets import as_preset
from web.studio.runs import MAX_POINTS, Run, curves, runs
from web.studio.trouble import BLOCKED_S, SILENT_S, trouble


@pytest.fixture
def worker() -> Iterator[Worker]:
    opened = Worker(ColourPipeline(), 2)
    opened.start()
    yield opened
    opened.stop()


def test_the_live_page_has_every_control_of_the_table() -> None:
    assert sorted(n for names in GROUPS.values() for n in names) == sorted(defaults("person"))


@pytest.mark.parametrize("arguments, status", [(["--version"], 0), (["run", "nothing.py"], 2)])
def test_the_studio_ends_with_its_status_whatever_libraries_are_doing(arguments: list[str], status: int) -> None:
    code = (
        f"import atexit, os, sys; atexit.register(os.abort); sys.argv[1:] = {arguments!r}; "
        "from web.studio.process import run; run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == status, done.stderr


class BrokenOff(BaseException):
    """As Streamlit ends a script of which another run was asked for."""


class Touchy(dict[str, object]):
    """A page's session state, of which the n-th touch breaks the script off."""

    def __init__(self, touches: int) -> None:
        super().__init__()
        self.touches = touches

    def _touch(self) -> None:
        self.touches -= 1
        if self.touches == 0:
            raise BrokenOff

    def __getitem__(self, name: str) -> object:
        self._touch()
        return super().__getitem__(name)

    def __setitem__(self, name: str, value: object) -> None:
        self._touch()
        super().__setitem__(name, value)

    def get(self, name: str, otherwise: object = None) -> object:
        self._touch()
        return super().get(name, otherwise)


@pytest.mark.parametrize("source", ["camera", "clip"])
def test_a_script_broken_off_anywhere_leaves_no_place_without_an_owner(
    source: str, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "worker", lambda: worker)
    monkeypatch.setattr(resources, "pipeline", lambda: worker.pipeline)
    monkeypatch.setattr("web.compat.studio_page_present", lambda: lambda: True)
    broken = 0
    for touch in range(1, 60):
        monkeypatch.setattr("streamlit.session_state", Touchy(touch))
        stage = Stage(wanted=source)
        while stage.wanted or (stage.visit is not None and stage.visit.tries == 0):
            try:
                if stage.visit is None:
                    live_page._begin(stage, source)
                else:
                    stage.visit.bridge.close()
                    live_page._connect_again(stage, stage.visit)
            except BrokenOff:
                broken += 1
            assert worker.visitors == (stage.visit is not None and not stage.visit.bridge.closed.is_set())
        live_page._begin(stage, source)  # a click told twice
        assert worker.visitors == 1
        live_page._end(stage)
        assert worker.visitors == 0 and stage.visit is None
    assert broken > 40


def test_a_click_asks_for_all_it_wants_without_a_touch_that_could_break_it_off(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "pipeline", lambda: worker.pipeline)
    monkeypatch.setattr("streamlit.session_state", Touchy(1))
    stage = Stage()
    presets._play(Preset("evening", "Evening", {"style": "red", "seed": 7}), stage.asked)
    assert stage.asked == defaults("person") | {"style": "red", "seed": 7}
    stage.choice.pixels = np.zeros((2, 2, 3), np.uint8)
    live_page._reroll(stage)
    assert int(str(stage.asked["seed"])) not in (0, 7) and stage.choice.pixels is None
    live_page._own_colours(stage)
    assert stage.asked["seed"] == 0


def test_two_styles_are_drawn_side_by_side_and_no_frame_is_lost(worker: Worker) -> None:
    told: list[float] = []
    made = side_by_side(worker, CLIP, [{"style": "blue"}, {"style": "red"}], 0.5, told.append)
    with av.open(io.BytesIO(made)) as film:
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(pictures) == 13, "half a second at 24 fps, both ends included"
    left, right = np.hsplit(pictures[-1], 2)
    assert left[..., 2].mean() > left[..., 0].mean() and right[..., 0].mean() > right[..., 2].mean()
    assert told[-1] == pytest.approx(1, abs=0.1) and worker.visitors == 0


def test_a_comparison_that_cannot_be_says_why_and_frees_its_places(worker: Worker) -> None:
    with pytest.raises(NotFound, match="no style"):
        side_by_side(worker, CLIP, [{"style": "blue"}, {"style": "absent"}], 1.0, print)
    assert worker.visitors == 0
    somebody = worker.join()
    side_by_side(worker, CLIP, [{}, {}], 0.2, print)  # one place is enough
    another = worker.join()
    with pytest.raises(NoCapacity):
        side_by_side(worker, CLIP, [{}, {}], 1.0, print)
    assert worker.visitors == 2 and somebody.here and another.here


def test_runs_are_read_as_training_leaves_them(tmp_path: Path) -> None:
    assert runs(tmp_path / "absent") == []
    folder = tmp_path / "first"
    folder.mkdir()
    (tmp_path / "no run").mkdir()
    rows = [
        {"step": n, "time": 1e9 + n, "style": n / 10} | ({"photo": 1.0} if n % 7 == 0 else {}) for n in range(1, 2000)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    others = '{"note": 1}\n[1]\n{"step": 3, "note": "x"}\n'
    (folder / "log.jsonl").write_bytes((others + text + '{"step": 2000, "ti{"step": 2001}\n').encode() + b"\xff{")
    (folder / "settings.toml").write_text("seed = 3\n")
    for step in (2000, 1000):
        (folder / f"samples_{step:06d}.png").touch()
    (run,) = runs(tmp_path)
    assert run == Run(folder) and len(run.rows()) == 1999 and run.settings() == {"seed": 3}
    assert [path.name for path in run.samples()] == ["samples_001000.png", "samples_002000.png"]
    drawn = curves(run.rows())
    assert list(drawn) == ["style", "photo"] and len(drawn["style"]) == MAX_POINTS and len(drawn["photo"]) == 285
    assert drawn["style"][-1][0] == 1999 and drawn["photo"][0] == (7.0, 1.0)
    (folder / "settings.toml").write_text("seed = ")
    assert "Invalid value" in str(run.settings()["settings.toml"]), "half written"


def _training() -> None:
    from web.studio import training_page

    training_page.page()


def test_a_folder_of_runs_or_a_log_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "settings", lambda: Settings.load(runs=Path("/" + "x" * 300)))
    app = AppTest.from_function(_training, default_timeout=60).run()
    assert not app.exception and "File name too long" in app.warning[0].value
    (tmp_path / "first" / "log.jsonl").mkdir(parents=True)
    monkeypatch.setattr(resources, "settings", lambda: Settings.load(runs=tmp_path))
    app = AppTest.from_function(_training, default_timeout=60).run()
    assert not app.exception and "Is a directory" in app.warning[0].value


def test_a_preset_goes_into_a_file_and_back() -> None:
    controls = defaults("person") | {"seed": 7, "background": "blur", "mirror": True}
    preset = as_preset('Festival "evening" 夜\a\r', controls)
    assert re.fullmatch(r"festival-evening-[0-9a-f]{8}", preset.name), "夜 and 朝 are two files"
    again = parse_preset(preset.to_toml().encode(), "x", "x.toml", "person")
    assert again.title == preset.title and dict(again.controls) == {"seed": 7, "background": "blur", "mirror": True}


@pytest.mark.parametrize(
    "text, words",
    [
        (b"\xff", "not TOML"),
        (b"[controls]\nseed = -1", "seed: got -1"),
        (b"[controls]\nabsent = 1", "no control is called"),
        (b"[controls]\ncrossfade = 0.5", "another page"),
        (b"program = 1\n[controls]", "nothing else"),
    ],
)
def test_a_preset_file_that_is_none_is_refused_in_words(text: bytes, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse_preset(text, "x", "x.toml", "person")


def test_a_preset_may_be_called_anything_but_nothing() -> None:
    controls = {name: row.default for name, row in CONTROLS.items() if row.page == "person"}
    assert as_preset("夜", controls).name != as_preset("朝", controls).name
    assert as_preset("Evening 2", controls).name == "evening-2"
    alike = ("a b", "a.b", "a-b", "a b!", "x" * 61, "x" * 62)
    assert len({as_preset(title, controls).name for title in alike}) == len(alike)
    with pytest.raises(BadInput, match="title"):
        as_preset("  ", controls)


def test_a_preset_that_cannot_be_written_or_read_costs_nobody_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "settings", lambda: Settings.load(cache=tmp_path))
    presets.keep(as_preset("Evening", {"seed": 7}))
    (tmp_path / "presets" / "evening.toml.part").symlink_to("/dev/full")  # a disk that is always full
    with pytest.raises(OSError, match="No space left"):
        presets.keep(as_preset("Evening", {"seed": 8}))
    (tmp_path / "presets" / "broken.toml").mkdir()
    assert {name: dict(preset.controls) for name, preset in presets.kept().items()} == {"evening": {"seed": 7}}
    monkeypatch.setattr(resources, "settings", lambda: Settings.load(cache=Path("/" + "x" * 300)))
    assert presets.kept() == {}


def test_before_and_after_belong_together(worker: Worker) -> None:
    session = worker.join()
    assert pair(session, 0.05) is None
    ended = threading.Event()

    def walk() -> None:
        pts = 0
        while not ended.wait(0.01):
            pts += 1
            session.offer(Frame(np.full((8, 8, 3), pts % 200, np.uint8), pts))

    walker = threading.Thread(target=walk)
    walker.start()
    shown = pair(session, 20)
    ended.set()
    walker.join()
    assert shown is not None and shown[0].pts == shown[1].pts
    assert np.array_equal(tinted(shown[0].pixels, "blue"), shown[1].pixels)


def test_nothing_on_the_command_line_or_in_a_file_opens_the_studio_to_foreign_pages() -> None:
    """Streamlit's protection against cross-site requests is on unless somebody turns it off."""
    asked = " ".join(command(Settings.load())).lower()
    assert "xsrf" not in asked and "cors" not in asked
    assert config.get_option("server.enableXsrfProtection") and config.get_option("server.enableCORS")


@pytest.mark.parametrize(
    "begun_s, connected_s, newest_s, words",
    [
        (None, None, None, None),  # the browser still asks for the camera: the component says so
        (100 - BLOCKED_S / 2, None, None, None),
        (99 - BLOCKED_S, None, None, "blocked"),
        (50.0, 100 - SILENT_S / 2, None, None),
        (50.0, 99 - SILENT_S, None, "silent"),
        (50.0, 60.0, 100 - SILENT_S / 2, None),
        (50.0, 60.0, 99 - SILENT_S, "silent"),
    ],
)
def test_a_picture_that_does_not_come_is_explained(
    begun_s: float | None, connected_s: float | None, newest_s: float | None, words: str | None
) -> None:
    assert trouble(100.0, begun_s, connected_s, newest_s) == words


PART = """
[person]
title = "person detector"
without = "the next best"
[[person.files]]
file = "weights.bin"
what = "a file"
licence = "none"
source = "here"
url = "{url}"
"""


def _library_parts() -> None:
    from web.studio import library_page

    library_page._parts()


def test_absent_weights_are_pulled_by_a_button(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(bytes(3 << 20), cuts=[1 << 20])
    with serving(script) as url:
        registry = Registry(Settings.load(models=(), cache=tmp_path), parse_manifest(PART.format(url=url)))
        monkeypatch.setattr(resources, "registry", lambda: registry)
        app = AppTest.from_function(_library_parts, default_timeout=60).run()
        assert "the next best runs instead" in app.markdown[0].value
        app.button(key="pull.person").click().run()
        assert "pull again" in app.error[0].value and not app.success, "a line that broke is said in words"
        app.button(key="pull.person").click().run()
    assert not app.exception and "is here" in app.success[0].value
    assert registry.find("person").path.stat().st_size == 3 << 20
    assert "weights.bin" in app.run().markdown[0].value


def _bench() -> None:
    from web.studio import bench_page

    bench_page.page()


def test_only_one_of_all_who_have_the_studio_open_measures() -> None:
    app = AppTest.from_function(_bench, default_timeout=60).run()
    with bench_page._measuring():
        app.button(key="bench_run").click().run()
    assert not app.exception and "Somebody else is measuring" in app.warning[-1].value
    assert "bench_own" not in app.session_state


def test_a_fresh_run_is_kept_though_the_page_is_touched_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        Path(command[-1]).write_bytes((bench_page.RESULTS / "pipeline-cpu.json").read_bytes())
        page = get_script_run_ctx()
        assert page and page.script_requests
        page.script_requests.request_rerun(RerunData())
        return subprocess.CompletedProcess(command, 0, "", "")

    app = AppTest.from_function(_bench, default_timeout=60).run()
    monkeypatch.setattr(subprocess, "run", measured)
    app.button(key="bench_run").click().run()
    assert not app.exception and "fresh run" in app.selectbox(key="bench_result").options


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_fresh_run_of_the_benchmark_is_measured_and_shown(weights: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    weights("derived/rvm_mobilenetv3_fp32.onnx")
    monkeypatch.setenv("STYLIZER_MODELS", str(weights("yolov5n_fp16.onnx").parent))
    app = AppTest.from_function(_bench, default_timeout=800).run()
    app.number_input(key="bench_frames").set_value(6)
    app.button(key="bench_run").click().run()
    assert not app.exception and [each.value for each in app.error] == []
    assert app.session_state["bench_result"] == "fresh run"
    assert app.subheader[0].value.startswith("The picture's way, 640×480"), "the sample clip"
