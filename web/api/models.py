"""Bodies of requests and answers, with the examples that the OpenAPI page shows."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from stylizer.controls import CONTROLS, Control, Value, defaults

Controls = Annotated[
    dict[str, Value],
    Field(description="names and values of the table at /v1/controls", examples=[{"style_strength": 0.7, "seed": 12}]),
]


class Problem(BaseModel):
    """Every answer that is not a success."""

    code: str = Field(description="stable, for programs", examples=["no_capacity"])
    message: str = Field(description="one sentence for a person", examples=["all 4 places are taken"])


class ControlRow(BaseModel):
    """One live parameter: what it is called, what it takes, what it does."""

    name: str
    kind: Literal["float", "int", "bool", "choice", "colour", "name"]
    default: Value
    help: str
    lo: float
    hi: float
    unit: str
    choices: tuple[str, ...]
    page: Literal["person", "vj"]
    allowed: str = Field(description="the range in words")

    @classmethod
    def of(cls, row: Control) -> "ControlRow":
        fields = {name: getattr(row, name) for name in cls.model_fields}
        return cls(**fields)


def control_rows() -> list[ControlRow]:
    return [ControlRow.of(row) for row in CONTROLS.values()]


class Styles(BaseModel):
    styles: tuple[str, ...] = Field(examples=[["anime"]])
    titles: dict[str, dict[str, str]] = Field(
        description="what people call them, by language",
        examples=[{"en": {"anime": "Anime"}, "ja": {"anime": "アニメ"}}],
    )


class OpenStream(BaseModel):
    """Asks for a place. A visitor who returns sends the controls that held before."""

    model_config = ConfigDict(extra="forbid")
    controls: Controls = Field(default_factory=dict)
    ticket: str | None = Field(
        default=None,
        max_length=64,
        description="for those who wait for a place: empty at first, then as the refusal gave it; it keeps one's turn",
    )
    resume: str | None = Field(
        default=None, max_length=64, description="token of a stream whose line was lost: its controls hold again"
    )


class Queued(Problem):
    """Every place is taken. Who waits asks again within a few seconds, with the ticket."""

    ticket: str | None = Field(None, description="send it with the next ask; null for those who did not ask to wait")
    place: int | None = Field(None, description="in the queue; 1 is next", examples=[2])


class Taken(BaseModel):
    """A clip of six seconds and a still, for a phone in the same network."""

    url: str = Field(examples=["http://192.168.1.5:8000/k/3Jv0a9-unguessable"])
    qr: str = Field(description="the address as a QR code: SVG in a data URI")
    seconds_left: int = Field(description="until both are deleted", examples=[600])


class IceServer(BaseModel):
    urls: str = Field(examples=["turn:relay.example:3478"])
    username: str
    credential: str


class OpenedStream(BaseModel):
    id: str = Field(examples=["kq3J0c2o1Zx8ZQ0e"])
    token: str = Field(description="Authorization: Bearer <token> on every further request about this stream")
    ice_servers: list[IceServer] = Field(description="for RTCPeerConnection; empty on a local network")
    controls: Controls = Field(examples=[defaults()])


class SdpOffer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sdp: str = Field(
        description="with its candidates: there is no trickle", examples=["v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\n"]
    )


class SdpAnswer(BaseModel):
    sdp: str


class ControlsNow(BaseModel):
    controls: Controls = Field(examples=[defaults()])


class Stats(BaseModel):
    """Counters since the visitor came; rates and percentiles over the last seconds."""

    frames_in: int
    frames_out: int
    dropped: int = Field(description="camera frames replaced by a newer one before the pipeline was free")
    failed: int = Field(description="frames whose stage failed; the last good picture was shown")
    fps: float
    latency_ms: dict[str, float] = Field(examples=[{"p50": 42.0, "p95": 55.1, "p99": 60.3}])
    stages_ms: dict[str, float] = Field(examples=[{"matte": 14.2, "convert": 19.8}])
    camera_fps: float = Field(description="so many camera pictures a second are worth sending just now", examples=[30])


class Standing(BaseModel):
    """One part of the picture's way and the rung of the ladder on which it stands."""

    part: str = Field(examples=["matte"])
    standing: str = Field(examples=["RobustVideoMatting (openvino bf16)"])
    why: str = Field(description="why not a higher one; empty on the first rung", examples=[""])


class Health(BaseModel):
    alive: bool


class Readiness(BaseModel):
    ready: bool
    visitors: int = Field(examples=[1])
    capacity: int = Field(examples=[4])
    ladder: list[Standing]
