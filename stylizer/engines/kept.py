"""Networks that are kept on the disk between two starts, and no more of them than it can bear."""

from pathlib import Path

MOST_BYTES = 2 << 30  # a style's strength takes 50 MB in all its sizes: a slider has a hundred of them


def trim(folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Removes what nobody has used for longest until the rest is no larger. What is gone is made anew when needed."""
    found = []
    for path in folder.glob("*"):
        try:
            stat = path.stat()
        except OSError:  # another process trims, too
            continue
        if path.is_file():
            found.append((max(stat.st_atime, stat.st_mtime), stat.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most_bytes:
            return
        path.unlink(missing_ok=True)
        total -= size
