"""Recordings of a show: their time, their end, and what happens when a disk or an encoder gives up."""

import errno
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stylizer.errors import BadInput
from stylizer.media import Reader
from stylizer.vj.bank import Bank
from stylizer.vj.outputs.recorder import FilmFile, Recorder
from tests.conftest import Rng
from tests.vj.test_show import played


def test_a_recording_keeps_the_time_of_the_show(tmp_path: Path, rng: Rng) -> None:
    recorder = Recorder(tmp_path / "a.mp4", Fraction(30))
    for time_s in (5.0, 5.01, 5.1, 5.2, 6.0):  # the second comes too early for a film of 30 pictures a second
        recorder.offer(rng.pixels_u8(64, 64, 3), time_s)
    recorder.close()
    recorder.close()
    assert (recorder.frames, recorder.dropped, recorder.fault) == (4, 0, "")
    with Reader(tmp_path / "a.mp4") as film:
        assert [round(f.time_s, 3) for f in film] == [0.0, 0.1, 0.2, 1.0]


def test_a_film_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="allowed are .mp4"):
        FilmFile(tmp_path / "a.gif", Fraction(30))
    with FilmFile(tmp_path / "a.mp4", Fraction(30)) as film:
        film.write(np.zeros((16, 16, 3), np.uint8))
        with pytest.raises(BadInput, match="32x16 in a film of 16x16"):
            film.write(np.zeros((16, 32, 3), np.uint8))


RECORDS = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from stylizer.vj.outputs.recorder import Recorder
recorder, rng, count = Recorder(Path(sys.argv[1]), Fraction(30)), np.random.default_rng(0), 0
while recorder.frames < 150:
    waiting = recorder.dropped
    recorder.offer(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8), count / 30)
    count += recorder.dropped == waiting
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_recording_whose_process_is_killed_can_be_played(tmp_path: Path) -> None:
    film = tmp_path / "a.mp4"
    done = subprocess.run([sys.executable, "-c", RECORDS, str(film)], capture_output=True, timeout=60)
    assert done.returncode == -9, done.stderr.decode()[-500:]
    with Reader(film) as reader:
        assert sum(1 for _ in reader) >= 90, "of 150: all but the last second and what waits in the encoder"


FULL = """
import resource, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from stylizer.vj.outputs.recorder import Recorder
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
recorder = Recorder(Path(sys.argv[1]), Fraction(30))
for count in range(40):
    recorder.offer(np.zeros((32, 32, 3), np.uint8), count / 30)
recorder.close()
print(recorder.fault)
"""


def test_a_recording_onto_a_full_disk_is_told_and_the_process_lives(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "a.mp4")], capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith(b"recording stopped: [Errno 27] File too large")


def test_a_recording_goes_on_when_the_pictures_change_their_size(bank: Bank, tmp_path: Path) -> None:
    def larger() -> None:
        show.session.apply({"output_size": "512"})

    show, _ = played(bank, ["r", "", "", larger, "", "", "", "q"], recordings=tmp_path)
    show.run()
    (film,) = tmp_path.glob("show-*.mp4")
    with Reader(film) as reader:
        assert [frame.pixels.shape for frame in reader] == [(256, 256, 3)] * 7


def test_two_recordings_of_one_second_are_two_films(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda form: form.replace("%Y%m%d-%H%M%S", "now"))
    show, _ = played(bank, ["r", "", "r", "r", "", "r", "q"], recordings=tmp_path)
    show.run()
    assert len(list(tmp_path.glob("show-*.mp4"))) == 2


def test_two_shows_that_record_in_one_second_make_two_films(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither has shown a picture yet, so that neither film has a byte."""
    monkeypatch.setattr("time.strftime", lambda form: form.replace("%Y%m%d-%H%M%S", "now"))
    ours, theirs = (played(bank, ["", "q"], recordings=tmp_path)[0] for _ in range(2))
    for show in (ours, theirs):
        show.gesture("record")
        show._slow.submit(int).result()
    ours.run()
    theirs.gesture("record")  # ends before a picture came
    theirs._slow.shutdown()
    for closing in theirs._closing:
        closing.join()
    assert [film.name for film in tmp_path.iterdir()] == ["show-now.mp4"] and theirs.film != ours.film
    with Reader(tmp_path / "show-now.mp4") as reader:
        assert sum(1 for _ in reader) == 2


def test_the_show_does_not_wait_for_a_recording_to_be_closed(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, waited = threading.Event(), list[bool]()

    class SlowDisk(Recorder):
        def close(self) -> None:
            waited.append(shown.wait(5))
            super().close()

    monkeypatch.setattr("stylizer.vj.show.Recorder", SlowDisk)
    show, _ = played(bank, ["r", "", "r", shown.set, "q"], recordings=tmp_path)
    show.run()
    assert waited == [True], "the next picture came while the film was being closed"
    (film,) = tmp_path.glob("show-*.mp4")
    with Reader(film) as reader:
        assert sum(1 for _ in reader) == 2


def test_a_recording_that_breaks_off_says_so(bank: Bank, tmp_path: Path) -> None:
    told: list[str] = []

    def broken() -> None:
        assert show._recorder is not None
        show._recorder.fault = "recording stopped: the disk is full"

    show, _ = played(bank, ["r", "", broken, "", "q"], recordings=tmp_path, tell=told.append)
    show.run()
    assert "recording stopped: the disk is full" in told and not show.recording


def test_a_recording_that_cannot_be_closed_says_so(bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last pictures are lost, and the page said where it lies."""
    close = FilmFile.close

    def full(film: FilmFile) -> None:
        close(film)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FilmFile, "close", full)
    told: list[str] = []
    show, _ = played(bank, ["r", "", "", "r", "", "q"], recordings=tmp_path, tell=told.append)
    show.run()
    assert show.trouble is not None and show.trouble.count == 1
    assert any("recording stopped" in line and "No space left" in line for line in told)


def test_an_encoder_that_gives_up_breaks_off_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object) -> None:
        raise av.error.ExternalError(-542398533, "Generic error in an external library")

    monkeypatch.setattr(FilmFile, "write", give_up)
    recorder = Recorder(tmp_path / "a.mp4", Fraction(30))
    recorder.offer(np.zeros((32, 32, 3), np.uint8), 0.0)
    recorder.close()
    assert "external library" in recorder.fault
