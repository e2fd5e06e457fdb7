"""Files that are whole or not there."""

import errno
import shutil
from pathlib import Path

import pytest

from stylizer.errors import BadInput
from stylizer.files import made_whole, write_whole


def test_what_fails_in_the_middle_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    write_whole(path, "steps = 3 # 歩\n")
    with pytest.raises(KeyboardInterrupt), made_whole(path) as part:
        part.write_bytes(b"ste")
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8") == "steps = 3 # 歩\n"
    assert [file.name for file in tmp_path.iterdir()] == ["settings.toml"]


def test_a_full_disk_is_told_as_one_whoever_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch says `[enforce fail at inline_container.cc:671] . unexpected pos 704 vs 598`, NumPy what it wrote."""
    path, usage = tmp_path / "checkpoint.pt", shutil.disk_usage(tmp_path)
    with pytest.raises(RuntimeError, match="unexpected pos"), made_whole(path):
        raise RuntimeError("unexpected pos 704 vs 598")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    for error in (RuntimeError("unexpected pos 704 vs 598"), OSError("4096 requested and 12 written")):
        with pytest.raises(OSError, match="No space left on device") as told, made_whole(path):
            raise error
        assert told.value.filename == str(path) and not list(tmp_path.iterdir())
    with pytest.raises(BadInput, match="of another kind"), made_whole(path):
        raise BadInput("the input is of another kind")


def test_of_a_link_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "file")
    write_whole(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "far" / "file").read_bytes() == b"x"


def test_a_file_that_somebody_else_is_making_is_refused_and_theirs_becomes_whole(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with made_whole(path) as part:
        part.write_bytes(b"theirs")
        with pytest.raises(BlockingIOError, match="somebody else is writing it"), made_whole(path):
            part.write_bytes(b"ours")
    assert path.read_bytes() == b"theirs"
    write_whole(path, b"ours, later")
    assert path.read_bytes() == b"ours, later" and [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_a_file_system_without_locks_is_written_to_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unknown)
    write_whole(tmp_path / "on a share", b"x")
    assert (tmp_path / "on a share").read_bytes() == b"x"
