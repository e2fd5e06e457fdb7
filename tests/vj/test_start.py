"""One command, and the pictures move: what the start loads, what it leaves for later, and how it ends."""

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stylizer.cli import main
from stylizer.errors import Unavailable
from stylizer.garbage import collect_the_new_only
from stylizer.media import Reader
from tests.web.doubles import free_port, wait_for
from tests.web.stages import KEY, connected

CHECKOUT = Path(__file__).parents[2]
AS_A_USER = (
    "import atexit, runpy, time; atexit.register(time.sleep, 60); runpy.run_module('stylizer', run_name='__main__')"
)
# Each takes a second or more to import, and nothing in a show without a person or a wide model needs it.
FOR_LATER = {
    "cupy", "facenet_pytorch", "matplotlib", "mediapipe", "nncf", "onnx", "onnxruntime", "pandas", "scipy", "skia",
    "sklearn", "streamlit", "sympy", "torch._dynamo", "torch._inductor", "torchvision", "ultralytics",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_play_moves_without_loading_what_it_does_not_need_and_ends_with_its_recording(tmp_path: Path) -> None:
    """As a user starts it; Python itself writes down what is imported. Told to end, it leaves a whole film and does
    not wait for a library that takes a minute to go."""
    port, imports = free_port(), tmp_path / "imports"
    command = [sys.executable, "-X", "importtime", "-c", AS_A_USER, "vj", "play", "--web", "--port", str(port)]
    own = {"STYLIZER_STAGE_KEY": KEY, "STYLIZER_CACHE": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    with (
        imports.open("w") as told,
        subprocess.Popen(
            [*command, "--osc-port", "0"], stdout=told, stderr=told, env=os.environ | own, cwd=tmp_path
        ) as show,
    ):
        try:
            wait_for(lambda: _moves(port), 120)
            _record(port)
        finally:
            show.terminate()
            told_s = time.monotonic()
        assert show.wait(15) == 0 and time.monotonic() - told_s < 5
    (film,) = tmp_path.glob("show-*.mp4")
    with Reader(film) as reader:
        assert sum(1 for _ in reader) >= 5, "closed: a film that is broken off has no index and cannot be read"
    lines = [line for line in imports.read_text().splitlines() if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip() for line in lines}
    assert {"torch", "openvino", "web.vj.stage"} <= loaded, "this is the list of what the show loaded"
    assert not loaded & FOR_LATER
    assert "openvino_telemetry.main" not in loaded, "a show tells nobody that it is played"


def test_knobs_that_were_saved_without_a_name_are_read_and_a_fault_in_them_ends_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A show that did not begin, for one slip in a file that it can do without."""

    def loaded(*_: object, **__: object) -> None:
        raise Unavailable("the networks would be loaded now")

    monkeypatch.setattr("stylizer.vj.loop.open_loop", loaded)
    monkeypatch.setattr(sys, "argv", ["stylizer", "vj", "play"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "knobs.toml").write_text('"cc:0:1" = "nobody"\n')
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().err
    assert "without: knobs.toml: no control is called 'nobody'" in told and "would be loaded now" in told
    (tmp_path / "knobs.toml").unlink()
    with pytest.raises(SystemExit):
        main()
    assert "without" not in capsys.readouterr().err  # nobody asked for that file
    monkeypatch.setattr(sys, "argv", ["stylizer", "vj", "play", "--midi-map", "konbs.toml"])
    with pytest.raises(SystemExit):
        main()
    assert "without: konbs.toml: No such file" in capsys.readouterr().err


def _moves(port: int) -> bool:
    try:
        with connected(f"http://127.0.0.1:{port}") as page:
            frames = page.until("meters")["frames"]
            assert isinstance(frames, int)
            return frames > 1 and page.newest["meters"]["motion"] != 0
    except OSError:
        return False


def _record(port: int) -> None:
    """Begins a recording and lets some pictures go into it."""
    with connected(f"http://127.0.0.1:{port}") as page:
        page.send(type="key", key="r")
        begun = page.until("meters", recording=True)["frames"]
        wait_for(lambda: int(str(page.until("meters")["frames"])) > int(str(begun)) + 20, 60)


def test_a_show_is_not_stopped_to_look_through_what_the_start_left() -> None:
    was_on = gc.isenabled()
    try:
        gc.disable()
        collect_the_new_only()
        assert gc.isenabled() and gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
        if not was_on:
            gc.disable()
