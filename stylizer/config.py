"""Settings of a process: read once at start from the environment (`STYLIZER_*`), passed down, never changed."""

import os
import re
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from stylizer.errors import BadInput

ALIKE = 0.8  # of the letters, in order: so near to a setting's name, another is a misspelt one


class Device(StrEnum):
    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class EngineName(StrEnum):
    AUTO = "auto"
    TORCH = "torch"
    OPENVINO = "openvino"
    CUDA_GRAPH = "cuda_graph"


class Settings(BaseSettings):
    """One field per variable; `STYLIZER_MODELS` sets `models`, and so on."""

    model_config = SettingsConfigDict(env_prefix="STYLIZER_", frozen=True, extra="ignore")

    models: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="folders searched for weights before the cache, separated like PATH"
    )
    cache: Path = Field(
        Path(platformdirs.user_cache_dir("stylizer")), description="pulled weights and compiled networks"
    )
    runs: Path = Field(Path("runs"), description="folder of the training runs that the studio shows")
    device: Device = Field(Device.AUTO, description="auto takes CUDA where it is found")
    engine: EngineName = Field(EngineName.AUTO, description="what runs the networks; auto asks the machine")
    threads: int = Field(
        0, ge=0, le=1024, description="CPU threads of each network; 0 is half the cores: two run at once"
    )
    visitors: int = Field(4, ge=1, le=64, description="visitors served at once, at most; the next waits in line")
    min_fps: float = Field(
        5.0, gt=0, le=60, description="pictures a second promised to each visitor; a slower machine serves fewer"
    )
    detect_every_s: float = Field(0.2, gt=0, le=5, description="seconds between two looks for the person")
    host: str = Field("127.0.0.1", pattern=r"^\S+$", description="address that the worker listens on")
    port: int = Field(8000, ge=1, le=65535, description="port of the worker")
    studio_port: int = Field(8501, ge=1, le=65535, description="port of the Streamlit studio")
    connections: int = Field(
        512, ge=16, le=65536, description="connections to the worker at once, at most; never over half of `ulimit -n`"
    )
    connections_per_address: int = Field(
        64, ge=8, le=65536, description="of those from one address; visitors behind one router share it"
    )
    max_upload_bytes: int = Field(20_000_000, ge=1024, description="largest picture that POST /v1/stylize takes")
    origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="further pages that may use the worker, as https://booth.example, separated by commas"
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="the worker as phones reach it, as http://192.168.1.5:8000, for QR codes; empty: found out",
    )
    stage_key: SecretStr = Field(
        SecretStr(""), description="what the VJ's control page must know; empty for a fresh one at each start"
    )
    turn_url: str = Field(
        "",
        pattern=r"^(turns?:[^\s/?,]+(\?transport=(udp|tcp))?)?$",
        description="turn:host:port of a relay, empty for none",
    )
    turn_secret: SecretStr = Field(SecretStr(""), description="shared secret of the relay's REST credentials")

    @field_validator("models", mode="before")
    @classmethod
    def _split_path(cls, value: object) -> object:
        return tuple(Path(p) for p in value.split(os.pathsep) if p) if isinstance(value, str) else value

    @field_validator("cache", "runs", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if value == "":  # a path would take it for the folder that we were started in
            raise ValueError("must be the name of a folder")
        return value

    @field_validator("origins", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return tuple(o.strip().rstrip("/") for o in value.split(",") if o.strip()) if isinstance(value, str) else value

    @field_validator("origins")
    @classmethod
    def _as_browsers_say(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/A-Z]+", origin):
                raise ValueError(f"{origin!r} is no origin, allowed are ones like https://booth.example, in lower case")
        return value

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Reads the environment; `overrides` hold in its place, but for those that are None.

        Raises BadInput naming each wrong variable, what it holds and what is allowed, and each whose name is nearly one
        of ours.

        STYLIZER_SECRETS names a folder of files, each named like its variable in lower case (`stylizer_turn_secret`):
        what is in a file is in no process list. The variable itself comes first.
        """
        cls._check_names()
        secrets = os.environ.get("STYLIZER_SECRETS")
        if secrets:
            cls._check_secrets(Path(secrets))
        try:
            given = {name: value for name, value in overrides.items() if value is not None}
            settings = cls(**{"_secrets_dir": secrets or None, **given})  # type: ignore[arg-type]
        except ValidationError as error:
            lines = [f"STYLIZER_{str(e['loc'][0]).upper()}={e['input']!r}: {e['msg']}" for e in error.errors()]
            raise BadInput("; ".join(lines)) from None
        if settings.turn_url and not settings.turn_secret.get_secret_value():
            raise BadInput(
                f"STYLIZER_TURN_URL={settings.turn_url!r}: the relay lets nobody in without STYLIZER_TURN_SECRET"
            )
        return settings

    @classmethod
    def _check_names(cls) -> None:
        known = [name.upper() for name in (*cls.model_fields, "secrets")]
        given = [name.removeprefix("STYLIZER_") for name in map(str.upper, os.environ) if name.startswith("STYLIZER_")]
        meant = {name: get_close_matches(name, known, 1, ALIKE) for name in given if name not in known}
        if faults := [f"STYLIZER_{name}: is STYLIZER_{near[0]} meant?" for name, near in meant.items() if near]:
            raise BadInput(f"there is no setting {'; '.join(faults)}")

    @classmethod
    def _check_secrets(cls, folder: Path) -> None:
        """Raises BadInput naming what cannot be read: Docker, say, makes a folder of a file that is not there."""
        if not folder.is_dir():
            raise BadInput(f"STYLIZER_SECRETS={str(folder)!r}: there is no such folder")
        for path in (folder / f"stylizer_{name}" for name in cls.model_fields):
            try:
                if path.exists():
                    path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise BadInput(f"STYLIZER_SECRETS={str(folder)!r}: {path.name} cannot be read ({error})") from None

    def as_environment(self) -> dict[str, str]:
        """The variables that make another process load the same settings."""
        return {f"STYLIZER_{name.upper()}": _as_text(getattr(self, name)) for name in type(self).model_fields}


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return (os.pathsep if value and isinstance(value[0], Path) else ",").join(map(str, value))
    return str(value)
