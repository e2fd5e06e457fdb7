"""Draws results in the pages' colours: ladder, waterfall with floors, roofline. Needs matplotlib (extra bench).

Each takes `say`, which turns the English of a name or an axis into the reader's language; by default it stays.
"""

import io
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np

from kernels.roofline import Peaks
from stylizer.bench.results import Bar, Point

matplotlib.use("Agg")
from matplotlib import font_manager, pyplot  # noqa: E402  after the backend
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

GROUND, RAISED, TEXT, ACCENT, GOOD, LINE = (
    "#101114",
    "#191b20",
    "#f1eee8",
    "#f2b36b",
    "#7fc8a0",
    "#33373f",
)  # tokens.css
MARKS = "osD^vP*Xph"
JAPANESE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Source Han Sans JP",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "IPAexGothic",
    "IPAPGothic",
    "TakaoPGothic",
    "VL PGothic",
    "MS Gothic",
)
Say = Callable[[str], str]


def japanese_font() -> str | None:
    """A font of this machine that has Japanese letters; none is brought along."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in JAPANESE_FONTS if name in installed), None)


pyplot.rcParams["font.family"] = [
    "DejaVu Sans",
    *filter(None, [japanese_font()]),
]  # letter by letter, the first that has it


def ladder(bars: Sequence[Bar], unit: str, say: Say = str) -> Figure:
    """A bar for each way; a line where the machine's own limit is, if that is known."""
    figure, axes = _empty(9, 0.5 * len(bars) + 1.2)
    axes.barh([say(bar.name) for bar in bars][::-1], [bar.value for bar in bars][::-1], color=ACCENT, height=0.62)
    _values(axes, [bar.value for bar in bars][::-1])
    if bars and bars[0].floor:
        axes.axvline(bars[0].floor, color=GOOD, linestyle="--", label=f"{say('floor')} {bars[0].floor:.3g}")
        axes.legend(labelcolor=TEXT, facecolor=RAISED, edgecolor=LINE)
    values = [bar.value for bar in bars if bar.value > 0]
    if values and max(values) > 50 * min(values):
        axes.set_xscale("log")
    axes.set_xlabel(say(unit))
    return figure


def waterfall(bars: Sequence[Bar], unit: str, say: Say = str) -> Figure:
    """The parts one after the other, each beginning where the last ended; in green what no machine could save."""
    figure, axes = _empty(9, 0.36 * len(bars) + 1.4)
    starts = np.concatenate(([0.0], np.cumsum([bar.value for bar in bars])[:-1])) if bars else np.zeros(0)
    places = np.arange(len(bars))[::-1]
    axes.barh(places, [bar.value for bar in bars], left=starts, color=ACCENT, height=0.62)
    floors = [(place, start, bar.floor) for place, start, bar in zip(places, starts, bars, strict=True) if bar.floor]
    if floors:
        axes.barh(
            [f[0] for f in floors],
            [f[2] for f in floors],
            left=[f[1] for f in floors],
            color=GOOD,
            height=0.28,
            label=say("floor"),
        )
        axes.legend(labelcolor=TEXT, facecolor=RAISED, edgecolor=LINE)
    for place, start, bar in zip(places, starts, bars, strict=True):
        axes.text(start + bar.value, place, f" {bar.value:.3g}", va="center", color=TEXT, fontsize=9)
    axes.set_yticks(places, [say(bar.name) for bar in bars])
    axes.set_xlabel(f"{say(unit)} · {say('in all')} {sum(bar.value for bar in bars):.4g}")
    axes.margins(x=0.1)
    return figure


def roofline(points: Sequence[Point], peaks: Peaks, title: str, say: Say = str) -> Figure:
    """Reached against possible: below the slope bytes are the limit, below the flat roof arithmetic."""
    figure, axes = _empty(9, 4.6)
    roof = peaks.flop_per_us / 1e6
    ridge = peaks.flop_per_us / peaks.bytes_per_us
    intensities = [point.intensity for point in points] or [ridge]
    span = np.geomspace(min(*intensities, ridge) / 3, max(*intensities, ridge) * 3, 200)
    axes.plot(span, np.minimum(roof, span * peaks.bytes_per_us / 1e6), color=GOOD, linewidth=2)
    colours = matplotlib.colormaps["plasma"](np.linspace(0.25, 0.95, max(len(points), 1)))
    for index, point in enumerate(points):
        mark = MARKS[index % len(MARKS)]
        axes.plot(point.intensity, point.tflop_per_s, mark, color=colours[index], markersize=8, label=say(point.name))
    if points:
        axes.legend(labelcolor=TEXT, facecolor=RAISED, edgecolor=LINE, fontsize=8, ncols=2, loc="lower right")
    axes.set(xscale="log", yscale="log", xlabel=say("FLOP per byte"), ylabel="TFLOP/s")
    axes.set_title(title, color=TEXT, fontsize=11)
    return figure


def to_png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, dpi=140, facecolor=GROUND)
    pyplot.close(figure)
    return out.getvalue()


def _empty(width: float, height: float) -> tuple[Figure, Axes]:
    figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained", facecolor=GROUND)
    axes.set_facecolor(GROUND)
    axes.tick_params(colors=TEXT, which="both")
    for part in (axes.xaxis.label, axes.yaxis.label):
        part.set_color(TEXT)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(LINE)
    return figure, axes


def _values(axes: Axes, values: Sequence[float]) -> None:
    for place, value in enumerate(values):
        axes.text(value, place, f" {value:.3g}", va="center", color=TEXT, fontsize=9)
    axes.margins(x=0.12)
