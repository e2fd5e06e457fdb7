"""Reads what the benchmarks wrote, whichever of them it was, into bars, a waterfall and points under a roof."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.roofline import Peaks, layer_bytes, layer_floor_us, network_floor_us
from kernels.weights import MAX_FILTERS, Layer, unet_layers
from stylizer.errors import BadInput, Unreadable

MAX_BYTES = 8 << 20
MAX_BARS = 500  # of a figure


@dataclass(frozen=True, slots=True)
class Bar:
    """value: in the ladder's unit. floor: the least that is possible on that machine, where it is known."""

    name: str
    value: float
    floor: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """intensity: FLOP per byte. tflop_per_s: reached."""

    name: str
    intensity: float
    tflop_per_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """One file. ladder: ways compared with each other. waterfall: the parts of the best way, one after the other."""

    title: str
    machine: str
    command: str
    unit: str
    ladder: tuple[Bar, ...]
    waterfall_unit: str = ""
    waterfall: tuple[Bar, ...] = ()
    peaks: Peaks | None = None
    points: tuple[Point, ...] = ()


def read_results(folder: Path) -> tuple[dict[str, Result], list[str]]:
    """Every readable `.json` in the folder by its name, and what is wrong with the others."""
    good: dict[str, Result] = {}
    bad: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            good[path.stem] = parse_result(path.read_bytes(), path.name)
        except BadInput as error:
            bad.append(str(error))
    return good, bad


def parse_result(data: bytes, name: str) -> Result:
    """The JSON of `stylizer bench pipeline | stages | live`, `kernels.bench`, `stylizer.bench.vj_gpu | toonify_gpu`,
    `benchmarks.unet_cpu`, `vj render`.

    Raises Unreadable for what is no JSON, BadInput for another form, naming `name`.
    """
    if len(data) > MAX_BYTES:
        raise BadInput(f"{name}: {len(data)} bytes, at most {MAX_BYTES} are allowed")
    try:
        figures = json.loads(data)
    except (ValueError, RecursionError):
        raise Unreadable(f"{name}: it is not JSON") from None
    try:
        for sign, read in READERS.items():
            if sign in figures:
                return _drawable(read(figures))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, StopIteration) as error:
        raise BadInput(f"{name}: a figure is missing or of the wrong kind ({type(error).__name__}: {error})") from None
    raise BadInput(f"{name}: no result of a benchmark of this project")


def _drawable(result: Result) -> Result:
    """Raises ValueError for more bars than a figure can show: 100 000 took 77 s and all memory."""
    for bars in (result.ladder, result.waterfall, result.points):
        if len(bars) > MAX_BARS:
            raise ValueError(f"{len(bars)} figures, at most {MAX_BARS} can be drawn")
    return result


def _pipeline(figures: dict[str, Any]) -> Result:
    ways, clip = figures["ways"], figures["clip"]
    first = next(iter(ways.values()))
    floors = first.get("floors_ms", {})
    stages = tuple(Bar(stage, _number(ms), _maybe(floors.get(stage))) for stage, ms in first["stages_ms"].items())
    return Result(
        title=f"The picture's way, {clip['size'][0]}×{clip['size'][1]}, {figures['date']}",
        machine=_machine(figures["machine"]),
        command=figures["command"],
        unit="frames per second",
        ladder=tuple(Bar(name, _number(way["fps"])) for name, way in ways.items()),
        waterfall_unit="ms per frame",
        waterfall=stages,
    )


def _stages(figures: dict[str, Any]) -> Result:
    """The waterfall takes each stage's quickest engine on one thread, as the live pipeline runs them."""
    rows = figures["rows"]
    bars = {(row["stage"], row["engine"], int(row["threads"])): _stage(row) for row in rows}
    alone: dict[str, list[Bar]] = {}
    for (stage, _, threads), bar in bars.items():
        if threads == 1:
            alone.setdefault(stage, []).append(bar)
    return Result(
        title=f"Each stage alone, {figures['frame'][0]}×{figures['frame'][1]}, {figures['date']}",
        machine=_machine(figures["machine"]),
        command=figures["command"],
        unit="ms per frame",
        ladder=tuple(Bar(bar.name, bar.value) for bar in bars.values()),  # a ladder has one floor, these have many
        waterfall_unit="ms per frame, the quickest engine on one thread",
        waterfall=tuple(min(each, key=lambda bar: bar.value) for each in alone.values()),
    )


def _stage(row: dict[str, Any]) -> Bar:
    threads = int(row["threads"])
    name = f"{row['stage']}, {row['engine']}, {threads} thread{'s' * (threads > 1)}"
    return Bar(name, _number(row["p50_ms"]), _maybe(row["floor_ms"]))


def _live(figures: dict[str, Any]) -> Result:
    guests, size = figures["visitors"], figures["camera"]["size"]
    return Result(
        title=f"{len(guests)} by WebRTC, {size[0]}×{size[1]}, {figures['date']}",
        machine=_machine(figures["machine"]),
        command=figures["command"],
        unit="different pictures per second",
        ladder=tuple(Bar(f"visitor {i}", _number(guest["unique_fps"])) for i, guest in enumerate(guests, 1)),
        waterfall_unit="ms per frame",
        waterfall=tuple(Bar(stage, _number(ms)) for stage, ms in guests[0]["stages_ms"].items()),
    )


def _kernels(figures: dict[str, Any]) -> Result:
    filters, rows = int(figures["filters"]), figures["rows"]
    if not 1 <= filters <= MAX_FILTERS:
        raise ValueError(f"filters {filters}")
    peaks = Peaks(_number(figures["peaks"]["bytes_per_us"]), _number(figures["peaks"]["flop_per_us"]))
    layers = {layer.name: layer for layer in unet_layers(filters)}
    floor = network_floor_us(tuple(layers.values()), peaks)
    whole = [row for row in rows if row["first_ms"] is not None]
    parts = [(row, row["what"].split()) for row in rows if row["first_ms"] is None]
    last = max((words[1] for _, words in parts if words[0] == "rung" and words[2] in layers), default="")
    launches = [(row, words) for row, words in parts if words[:2] == ["rung", last] and words[2] in layers]
    return Result(
        title=f"U-Net-256 of {filters} filters, one picture",
        machine=str(figures["machine"].get("name", "")),
        command="python -m kernels.bench",
        unit="µs per picture",
        ladder=tuple(Bar(row["what"], _number(row["p50_us"]), floor) for row in whole),
        waterfall_unit=f"µs per launch, rung {last}",
        waterfall=tuple(_launch(row, words, layers, peaks) for row, words in launches),
        peaks=peaks,
        points=tuple(_point(row) for row in whole if row["tflop_per_s"]),
    )


def _launch(row: dict[str, Any], words: list[str], layers: dict[str, Layer], peaks: Peaks) -> Bar:
    floor = layer_floor_us(layers[words[2]], peaks) if row["share"] is not None else None
    return Bar(" ".join(words[2:]), _number(row["p50_us"]), floor)


def _point(row: dict[str, Any]) -> Point:
    rate = _number(row["tflop_per_s"])
    return Point(row["what"], 1e3 * rate / _number(row["gb_per_s"]), rate)


def _unet(figures: dict[str, Any]) -> Result:
    return Result(
        title=f"U-Net-256 of {figures['filters']} filters on a CPU, {figures['threads']} threads",
        machine=str(figures["processor"]),
        command=f"python -m benchmarks.unet_cpu --filters {figures['filters']} --threads {figures['threads']}",
        unit="ms per picture",
        ladder=tuple(Bar(str(row["precision"]), _number(row["p50_ms"])) for row in figures["rows"]),
    )


def _show(figures: dict[str, Any]) -> Result:
    return Result(
        title=f"VJ mode, preset {figures['preset']}, {figures['fps']:g} fps",
        machine=_machine(figures["machine"]),
        command=f"stylizer vj render --preset {figures['preset']} --seed {figures['seed']}",
        unit="ms per picture",
        ladder=tuple(Bar(name, _number(ms)) for name, ms in figures["step_ms"].items()),
    )


def _loop(figures: dict[str, Any]) -> Result:
    return Result(
        title=f"VJ mode, {figures['filters']} filters",
        machine=str(figures["machine"]["name"]),
        command=f"python -m stylizer.bench.vj_gpu --filters {figures['filters']}",
        unit="µs per picture",
        ladder=tuple(Bar(name, _number(us)) for name, us in figures["us"].items()),
    )


def _toonify(figures: dict[str, Any]) -> Result:
    batches = figures["batches"].items()
    return Result(
        title=f"Converter, {figures['style']}",
        machine=str(figures["machine"]["name"]),
        command=f"python -m stylizer.bench.toonify_gpu --style {figures['style']}",
        unit="µs per batch",
        ladder=tuple(Bar(f"{way}, batch {n}", _number(us)) for n, row in batches for way, us in row["us"].items()),
    )


READERS: Mapping[str, Callable[[dict[str, Any]], Result]] = {
    "ways": _pipeline,
    "peaks": _kernels,
    "processor": _unet,
    "us": _loop,
    "batches": _toonify,
    "step_ms": _show,
    "visitors": _live,
    "frame": _stages,
}  # by what only such a file has


def expected(filters: int, peaks: Peaks) -> tuple[tuple[Bar, ...], tuple[Point, ...]]:
    """Without a measurement: each layer's least time in µs, and where it stands under the roof (predictions)."""
    layers = [layer for layer in unet_layers(filters) if layer.name not in ("encoder_8", "decoder_8")]
    floors = tuple(Bar(layer.name, layer_floor_us(layer, peaks)) for layer in layers)
    points = []
    for layer in layers:
        flop = 2 * layer.multiply_adds
        points.append(Point(layer.name, flop / layer_bytes(layer), flop / layer_floor_us(layer, peaks) / 1e6))
    return floors, tuple(points)


def to_csv(result: Result) -> str:
    """One line for each bar and point."""
    rows = [f"{_cell(result.title)},{_cell(result.machine)},,", "kind,name,value,floor"]
    for kind, bars in ((result.unit, result.ladder), (result.waterfall_unit, result.waterfall)):
        rows += [f"{_cell(kind)},{_cell(b.name)},{b.value:g},{'' if b.floor is None else f'{b.floor:g}'}" for b in bars]
    rows += [
        f"TFLOP/s at {point.intensity:g} FLOP/byte,{_cell(point.name)},{point.tflop_per_s:g},"
        for point in result.points
    ]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def _machine(machine: dict[str, Any]) -> str:
    return f"{machine['cores']} cores of {machine['cpu']}" if machine["gpu"] == "none" else str(machine["gpu"])


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not (value == 0 or 1e-12 <= value <= 1e18):
        raise ValueError(f"{value!r:.40} is no number that can be drawn")
    return float(value)


def _maybe(value: object) -> float | None:
    return None if value is None else _number(value)
