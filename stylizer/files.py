"""Files that are whole or not there: a process that is killed, or a full disk, leaves the old one as it was."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def made_whole(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to; at the end that file takes its name. After an error neither is there.

    A killed process leaves the part behind, under a name that says so. Raises OSError.
    """
    path = path.resolve()  # of a link, what it leads to is replaced
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes | str) -> None:
    """The text, as UTF-8, or the bytes. Raises OSError."""
    with made_whole(path) as part:
        with part.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())  # or a machine that loses power keeps the new name and none of the bytes
