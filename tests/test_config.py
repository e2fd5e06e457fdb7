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


def test_the_search_path_is_written_like_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZER_MODELS", "/a:/b c:")
    assert Settings.load().models == (Path("/a"), Path("/b c"))
