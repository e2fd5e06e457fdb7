"""Settings come from the environment, secrets from files; what is wrong is named."""

from pathlib import Path

import pytest

from stylizer.config import Settings
from stylizer.errors import BadInput


def test_a_secret_comes_from_a_file_unless_its_variable_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stylizer_turn_secret").write_text("from the file\n")
    monkeypatch.setenv("STYLIZER_SECRETS", str(tmp_path))
    settings = Settings.load()
    assert settings.turn_secret.get_secret_value() == "from the file"
    assert "from the file" not in repr(settings)
    monkeypatch.setenv("STYLIZER_TURN_SECRET", "from the variable")
    assert Settings.load().turn_secret.get_secret_value() == "from the variable"


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("STYLIZER_VISITORS", "0", "greater than or equal to 1"),
        ("STYLIZER_PORT", "http", "valid integer"),
        ("STYLIZER_DEVICE", "tpu", "'auto', 'cpu' or 'cuda'"),
        ("STYLIZER_SECRETS", "/nowhere", "no such folder"),
        ("STYLIZER_HOST", "", "match pattern"),  # empty, the worker would listen to the whole network
        ("STYLIZER_CACHE", "", "name of a folder"),
        ("STYLIZER_RUNS", "", "name of a folder"),
        ("STYLIZER_PUBLIC_URL", "192.168.1.5:8000", "match pattern '^(https?://"),
        ("STYLIZER_TURN_URL", "turn://relay.example", "match pattern '^(turns?:"),
        ("STYLIZER_TURN_URL", "turn:relay.example:3478", "STYLIZER_TURN_SECRET"),
        ("STYLIZER_ORIGINS", "https://a.example, booth.example", "'booth.example' is no origin"),
        ("STYLIZER_ORIGINS", "null", "'null' is no origin"),
        ("STYLIZER_ORIGINS", "https://Booth.example", "in lower case"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_allowed(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as caught:
        Settings.load()
    for word in (f"{name}={value!r}", says):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "name, meant",
    [("STYLIZER_MODLES", "MODELS"), ("STYLIZER_TURN_SECRT", "TURN_SECRET"), ("stylizer_visitor", "VISITORS")],
)
def test_a_misspelt_variable_is_named_and_what_it_holds_is_not(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "a secret, perhaps")
    with pytest.raises(BadInput, match=f"{name.upper()}: is STYLIZER_{meant} meant") as caught:
        Settings.load()
    assert "perhaps" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["a folder", "bytes"])
def test_a_secret_that_cannot_be_read_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "stylizer_turn_secret"
    secret.mkdir() if content is None else secret.write_bytes(content)
    monkeypatch.setenv("STYLIZER_SECRETS", str(tmp_path))
    with pytest.raises(BadInput, match="stylizer_turn_secret cannot be read"):
        Settings.load()


def test_good_addresses_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZER_ORIGINS", "https://booth.example/, http://[::1]:8000,chrome-extension://abc")
    monkeypatch.setenv("STYLIZER_TURN_URL", "turns:[2001:db8::1]:5349?transport=tcp")
    monkeypatch.setenv("STYLIZER_TURN_SECRET", "0123456789abcdef")
    monkeypatch.setenv("STYLIZER_PUBLIC_URL", "http://192.168.1.5:8000/")
    settings = Settings.load()
    assert settings.origins == ("https://booth.example", "http://[::1]:8000", "chrome-extension://abc")
    assert settings.turn_url.startswith("turns:[2001") and settings.public_url.endswith("8000/")


def test_the_search_path_is_written_like_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZER_MODELS", "/a:/b c:")
    assert Settings.load().models == (Path("/a"), Path("/b c"))


@pytest.mark.parametrize(
    "name", ["STYLIZER_MEDIA", "STYLIZER_NETEM", "STYLIZER_LINE", "STYLIZER_CHROMIUM", "stylizer_port"]
)
def test_variables_of_others_and_small_letters_are_no_misspelt_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "8000")
    Settings.load()
