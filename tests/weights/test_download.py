"""One file over HTTP, through everything that can happen to it on the way."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stylizer.errors import ModelRejected, Unavailable
from stylizer.weights.download import download
from tests.weights.server import Script, serving

BODY = bytes(range(256)) * 4096  # 1 MiB: several chunks
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=5) as client:
        yield client


def _left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_alone(tmp_path: Path, client: httpx.Client) -> None:
    steps: list[tuple[int, int]] = []
    with serving(Script(BODY)) as url:
        got = download(
            url, tmp_path / "w", sha256=SHA, client=client, progress=lambda done, total: steps.append((done, total))
        )
    assert got == SHA
    assert (tmp_path / "w").read_bytes() == BODY
    assert _left(tmp_path) == ["w"]
    assert steps[-1] == (len(BODY), len(BODY))
    assert steps == sorted(steps)


def test_a_cut_connection_goes_on_where_it_stopped(tmp_path: Path, client: httpx.Client) -> None:
    script = Script(BODY, cuts=[600_000, None])
    with serving(script) as url:
        with pytest.raises(Unavailable, match=r"0\.\d MB are kept, pull again"):
            download(url, tmp_path / "w", sha256=SHA, client=client)
        kept = (tmp_path / "w.part").stat().st_size
        assert 0 < kept <= 600_000
        assert not (tmp_path / "w").exists()
        download(url, tmp_path / "w", sha256=SHA, client=client)
    assert script.seen[1]["range"] == f"bytes={kept}-"
    assert script.seen[1]["if-range"] == script.tag
    assert (tmp_path / "w").read_bytes() == BODY
    assert _left(tmp_path) == ["w"]


def test_a_file_that_changed_meanwhile_comes_whole(tmp_path: Path, client: httpx.Client) -> None:
    script = Script(BODY, cuts=[600_000, None])
    with serving(script) as url:
        with pytest.raises(Unavailable):
            download(url, tmp_path / "w", client=client)
        script.body = BODY[::-1]
        download(url, tmp_path / "w", client=client)
    assert (tmp_path / "w").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("trouble", [{"ranges": False}, {"etag": False}], ids=["no Range", "no validator"])
def test_a_server_that_cannot_go_on_starts_afresh(
    trouble: dict[str, bool], tmp_path: Path, client: httpx.Client
) -> None:
    script = Script(BODY, cuts=[600_000, None])
    for name, value in trouble.items():
        setattr(script, name, value)
    with serving(script) as url:
        with pytest.raises(Unavailable):
            download(url, tmp_path / "w", sha256=SHA, client=client)
        download(url, tmp_path / "w", sha256=SHA, client=client)
    assert (tmp_path / "w").read_bytes() == BODY


@pytest.mark.parametrize("tag", [b"", b"\0" * 18, b'"\xff"', b'"a"\n'], ids=["empty", "zeros", "bytes", "line"])
def test_a_validator_that_a_power_cut_damaged_counts_as_none(tag: bytes, tmp_path: Path, client: httpx.Client) -> None:
    script = Script(BODY)
    (tmp_path / "w.part").write_bytes(b"half")
    (tmp_path / "w.part.tag").write_bytes(tag)
    with serving(script) as url:
        download(url, tmp_path / "w", sha256=SHA, client=client)
    assert "range" not in script.seen[0] and _left(tmp_path) == ["w"]


def test_a_validator_that_no_request_can_carry_is_not_kept(tmp_path: Path) -> None:
    headers = {b"ETag": '"é"'.encode(), b"Content-Length": str(len(BODY)).encode()}
    answer = httpx.Response(200, headers=headers, stream=httpx.ByteStream(BODY))
    with httpx.Client(transport=httpx.MockTransport(lambda _: answer)) as client:
        assert download("http://example.com/w", tmp_path / "w", client=client) == SHA


@pytest.mark.parametrize("part", ["4-5/8", "4-7/9", "3-7/8", "4-/8"])
def test_a_part_that_is_not_the_rest_of_the_file_is_refused(part: str, tmp_path: Path) -> None:
    """With no checksum known, what is short would be recorded as what is right."""
    (tmp_path / "w.part").write_bytes(b"half")
    (tmp_path / "w.part.tag").write_bytes(b'"tag"')
    headers = {"Content-Range": f"bytes {part}", "Content-Length": "4"}
    answer = httpx.Response(206, headers=headers, stream=httpx.ByteStream(b"rest"))
    with httpx.Client(transport=httpx.MockTransport(lambda _: answer)) as client:
        with pytest.raises(ModelRejected, match=f"asked for all from byte 4 on, got 'bytes {part}'"):
            download("http://example.com/w", tmp_path / "w", client=client)
    assert _left(tmp_path) == []


def test_a_part_longer_than_the_file_is_thrown_away(tmp_path: Path, client: httpx.Client) -> None:
    script = Script(BODY)
    (tmp_path / "w.part").write_bytes(BODY + b"more")
    (tmp_path / "w.part.tag").write_text(script.tag)
    with serving(script) as url:
        download(url, tmp_path / "w", sha256=SHA, client=client)
    assert (tmp_path / "w").read_bytes() == BODY


def test_a_flipped_byte_is_refused_and_removed(tmp_path: Path, client: httpx.Client) -> None:
    flipped = bytearray(BODY)
    flipped[70_000] ^= 1
    (tmp_path / "w").write_bytes(b"what was there before")
    with serving(Script(bytes(flipped))) as url, pytest.raises(ModelRejected, match=f"it must be {SHA}"):
        download(url, tmp_path / "w", sha256=SHA, client=client)
    assert (tmp_path / "w").read_bytes() == b"what was there before"
    assert _left(tmp_path) == ["w"]


@pytest.mark.parametrize(
    "script, size, max_bytes, says",
    [
        (Script(BODY), 1000, 1 << 30, "1000 are right"),
        (Script(BODY), None, 1000, "1 to 1000 are taken"),
        (Script(b""), None, 1000, "announces 0 bytes"),
    ],
    ids=["other length", "over the cap", "empty"],
)
def test_a_wrong_length_is_refused_before_it_comes(
    script: Script, size: int | None, max_bytes: int, says: str, tmp_path: Path, client: httpx.Client
) -> None:
    with serving(script) as url, pytest.raises(ModelRejected, match=says):
        download(url, tmp_path / "w", size=size, max_bytes=max_bytes, client=client)
    assert _left(tmp_path) == []


def test_less_than_announced_counts_as_cut(tmp_path: Path, client: httpx.Client) -> None:
    with serving(Script(BODY, announced=len(BODY) + 10)) as url, pytest.raises(Unavailable, match="connection broke"):
        download(url, tmp_path / "w", client=client)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "script, says",
    [
        (Script(BODY, status=404), r"no such file there any more \(404\)"),
        (Script(BODY, status=503), "answered 503"),
        (Script(BODY, content_type="text/html; charset=utf-8"), "web page"),
    ],
    ids=["404", "503", "login page"],
)
def test_a_refusal_says_what_the_server_said(script: Script, says: str, tmp_path: Path, client: httpx.Client) -> None:
    with serving(script) as url, pytest.raises(Unavailable, match=says):
        download(url, tmp_path / "w", client=client)
    assert _left(tmp_path) == []


def test_without_network_the_message_says_what_to_bring_and_where(tmp_path: Path, client: httpx.Client) -> None:
    with serving(Script(BODY)) as url:
        pass  # the port is free again: nobody answers there
    with pytest.raises(Unavailable, match="Without internet, bring the file") as caught:
        download(url, tmp_path / "w", client=client)
    assert str(tmp_path / "w") in str(caught.value)
    assert url in str(caught.value)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full, a disk that is always full")
def test_a_full_disk_is_named(tmp_path: Path, client: httpx.Client) -> None:
    (tmp_path / "w.part").symlink_to("/dev/full")
    with serving(Script(BODY)) as url, pytest.raises(Unavailable, match=r"cannot write .*w\.part: No space left"):
        download(url, tmp_path / "w", sha256=SHA, client=client)
    assert not (tmp_path / "w").exists()


def test_an_encrypted_address_may_not_lead_to_a_plain_one(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "https":
            return httpx.Response(302, headers={"Location": "http://example.com/w"})
        return httpx.Response(200, content=BODY)

    with httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True) as client:
        with pytest.raises(Unavailable, match="not encrypted"):
            download("https://example.com/w", tmp_path / "w", client=client)
    assert _left(tmp_path) == []
