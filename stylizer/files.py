"""Files that are whole or not there: a process that is killed, or a full disk, leaves the old one as it was."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stylizer.errors import StylizerError

LEAST_ROOM_BYTES = 1 << 16  # a disk with less is full


@contextmanager
def made_whole(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to; at the end that file takes its name. After an error neither is there.

    A killed process leaves the part behind, under a name that says so. Raises OSError; BlockingIOError while somebody
    else, of this process or another, makes the same file: two would write into one part.
    """
    path = path.resolve()  # of a link, what it leads to is replaced
    part = path.with_name(f"{path.name}.part")
    with part.open("ab") as held:  # the system frees the lock of a process that died
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(errno.EAGAIN, "somebody else is writing it at this moment", str(path)) from None
        except OSError:  # a network's file system that knows no locks
            pass
        try:
            yield part
            os.replace(part, path)
        except BaseException as error:
            full = _is_full_disk(error, part)
            part.unlink(missing_ok=True)
            if full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
            raise


def _is_full_disk(error: BaseException, part: Path) -> bool:
    """Whether that is behind it: torch, NumPy and safetensors tell it by errors of their own, and none names a file."""
    if isinstance(error, Exception) and not isinstance(error, StylizerError):
        with suppress(OSError):
            return shutil.disk_usage(part.parent).free < LEAST_ROOM_BYTES
    return False


def write_whole(path: Path, data: bytes | str) -> None:
    """The text, as UTF-8, or the bytes. Raises OSError."""
    with made_whole(path) as part:
        with part.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())  # or a machine that loses power keeps the new name and none of the bytes
