"""Brings one file over HTTP: resumable, checked, and in place only when it is whole.

The bytes gather in `<name>.part` beside the target, the server's validator (its ETag or date) in `<name>.part.tag`.
A cut connection leaves both; the next call asks for the rest with `Range` and `If-Range`, so that a file which changed
meanwhile comes whole (RFC 9110, section 13.1.5). Without a validator the file starts afresh: going on would be a guess.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx

from stylizer.errors import ModelRejected, Unavailable

Progress = Callable[[int, int], None]  # bytes so far, bytes in all
CHUNK_BYTES = 1 << 18
MAX_BYTES = 2 << 30  # no weights of this project come near; a server that sends more is not the right one


def silent(done: int, total: int) -> None:
    """A Progress for nobody."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    max_bytes: int = MAX_BYTES,
    client: httpx.Client,
    progress: Progress = silent,
) -> str:
    """Fetches `url` to `target` and returns its sha256.

    sha256, size: what it must be, where known; size in bytes. Two callers must not share a target (the registry's lock
    sees to it).
    Raises Unavailable for the network, the server's refusal and a full disk (what came so far is kept);
    ModelRejected for a wrong length or checksum (what came is removed, the target is untouched).
    """
    part, tag = target.with_name(target.name + ".part"), target.with_name(target.name + ".part.tag")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _receive(url, part, tag, size, max_bytes, client, progress)
        got = sha256_of(part)
        if sha256 is not None and got != sha256:
            raise ModelRejected(f"{url}: sha256 is {got}, it must be {sha256}; nothing was kept")
        os.replace(part, target)
        tag.unlink(missing_ok=True)
        _flush_folder(target.parent)
    except ModelRejected:
        part.unlink(missing_ok=True)
        tag.unlink(missing_ok=True)
        raise
    except httpx.HTTPError as error:
        raise Unavailable(_network_trouble(url, target, part, error)) from None
    except OSError as error:
        raise Unavailable(f"cannot write {part}: {error.strerror}{_room(target.parent)}") from None
    return got


def _receive(
    url: str, part: Path, tag: Path, size: int | None, max_bytes: int, client: httpx.Client, progress: Progress
) -> None:
    """Appends to `part` until the server has no more, then flushes it to the disk."""
    validator = _kept_validator(tag)
    have = part.stat().st_size if part.is_file() and validator else 0
    headers = {"Accept-Encoding": "identity"}  # the bytes themselves: their length and checksum are what is known
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            tag.unlink()  # the part is longer than the file: throw it away, once
            return _receive(url, part, tag, size, max_bytes, client, progress)
        _expect_success(url, response)
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            have = 0
        elif not _is_the_rest(response, have):
            got = response.headers.get("Content-Range")
            raise ModelRejected(f"{url}: asked for all from byte {have} on, got {got!r}")
        total = _total(url, response, have, size, max_bytes)
        _keep_validator(response, tag)
        with part.open("ab" if have else "wb") as file:
            for chunk in response.iter_raw(CHUNK_BYTES):
                have += len(chunk)
                if have > total:
                    raise ModelRejected(f"{url}: more than {total} bytes came; nothing was kept")
                file.write(chunk)
                progress(have, total)
            file.flush()
            os.fsync(file.fileno())
    if have != total:
        raise ModelRejected(f"{url}: {have} bytes came, {total} are right; nothing was kept")


def _expect_success(url: str, response: httpx.Response) -> None:
    if url.startswith("https:") and response.url.scheme != "https":
        raise Unavailable(f"{url}: led to {response.url}, which is not encrypted")
    if response.status_code == httpx.codes.NOT_FOUND:
        raise Unavailable(f"{url}: no such file there any more (404)")
    if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        raise Unavailable(f"{url}: the server answered {response.status_code} {response.reason_phrase}; try later")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise Unavailable(f"{url}: a web page came instead of the file; does this network ask for a login first?")


def _is_the_rest(response: httpx.Response, have: int) -> bool:
    """Whether what comes begins at byte `have` and ends where the file does, as far as the server says where."""
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", response.headers.get("Content-Range", ""))
    return match is not None and int(match[1]) == have and match[3] in ("*", str(int(match[2]) + 1))


def _total(url: str, response: httpx.Response, have: int, size: int | None, max_bytes: int) -> int:
    """Bytes that the whole file will have, refused before the first one comes if they cannot be right."""
    length = response.headers.get("Content-Length")
    if length is None and size is None:  # the end of the file and a cut connection would look the same
        raise Unavailable(f"{url}: the server does not say how long the file is")
    announced = have + int(length) if length is not None else None
    total = announced or size or 0
    if size not in (None, total):
        raise ModelRejected(f"{url}: the server announces {total} bytes, {size} are right")
    if not 0 < total <= max_bytes:
        raise ModelRejected(f"{url}: the server announces {total} bytes, 1 to {max_bytes} are taken")
    return total


def _keep_validator(response: httpx.Response, tag: Path) -> None:
    validator = response.headers.get("ETag", "")
    if not validator or validator.startswith("W/"):  # If-Range takes strong ones only
        validator = response.headers.get("Last-Modified", "")
    if _can_be_sent(validator):
        tag.write_text(validator, encoding="ascii")
    else:
        tag.unlink(missing_ok=True)


def _kept_validator(tag: Path) -> str:
    """Empty without one; what a power cut left of one counts as none."""
    validator = tag.read_bytes().decode("ascii", errors="replace") if tag.is_file() else ""
    return validator if _can_be_sent(validator) else ""


def _can_be_sent(validator: str) -> bool:
    return bool(validator) and validator.isascii() and validator.isprintable()


def _network_trouble(url: str, target: Path, part: Path, error: httpx.HTTPError) -> str:
    kept = part.stat().st_size if part.is_file() else 0
    if kept:
        return f"{url}: the connection broke ({error}); {kept / 1e6:.1f} MB are kept, pull again to go on"
    return f"{url}: not reached ({error}). Without internet, bring the file from another machine and put it at {target}"


def _room(folder: Path) -> str:
    return f" ({shutil.disk_usage(folder).free / 1e6:.0f} MB free there)" if folder.is_dir() else ""


def _flush_folder(folder: Path) -> None:
    """Makes the rename last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
