"""Films of high dynamic range, as phones (HLG) and discs (PQ) have them, in the colours of a plain screen.

Taken for a plain film's, their numbers look grey and pale: white stands at three quarters, and the primaries are wider.
"""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

Curve = NDArray[np.float64]

PQ, HLG = 16, 18  # H.273's numbers of their transfer functions
WHITE_NITS = 203.0  # of a sheet of paper, ITU-R BT.2408
HLG_NITS = 1000.0  # of the screen that HLG is meant for
KNEE = 0.6  # of white, below which brightness stays; above, all that there is finds room below white
DISPLAY_GAMMA = 2.4  # ITU-R BT.1886
CUBE = 33  # colours on each axis of the table
LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
TO_709 = np.array(  # linear light, ITU-R BT.2087
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)


class ToPlain:
    """From a film's HDR pictures to plain ones, by FFmpeg with a table of ours: for pictures of one size and format."""

    def __init__(self, like: av.VideoFrame) -> None:
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=like.width, height=like.height, format=like.format, time_base=like.time_base
        )
        with tempfile.TemporaryDirectory(prefix="stylizer-hdr-") as folder:
            cube = Path(folder) / "plain.cube"  # a file is the form in which FFmpeg takes it, and at once
            cube.write_text(_cube(int(like.color_trc)), "utf-8")
            table = self._graph.add("lut3d", file=str(cube))
        steps = [
            self._graph.add("scale", "in_color_matrix=bt2020"),
            self._graph.add("format", "gbrp10le"),
            table,
            self._graph.add("format", "gbrp"),
            self._graph.add("buffersink"),
        ]
        for one, other in zip([source, *steps], steps, strict=False):
            one.link_to(other)
        self._graph.configure()
        self._of = _kind(like)

    def fits(self, decoded: av.VideoFrame) -> bool:
        return self._of == _kind(decoded)

    def __call__(self, decoded: av.VideoFrame) -> av.VideoFrame:
        self._graph.push(decoded)
        return self._graph.pull()


def is_hdr(decoded: av.VideoFrame) -> bool:
    return decoded.color_trc in (PQ, HLG)


def plain(signal: NDArray[Any], transfer: int) -> Curve:
    """[..., 3] 0..1 as the film has them, R G B of BT.2020 -> the same in BT.709. transfer: PQ or HLG."""
    nits = _pq_nits(signal) if transfer == PQ else _hlg_nits(signal)
    light = np.clip((nits / WHITE_NITS) @ TO_709.T, 0, None)
    brightest = light.max(-1, keepdims=True)
    above = np.maximum(brightest - KNEE, 0) / (1 - KNEE)
    shown = np.minimum(brightest, KNEE) + (1 - KNEE) * (1 - np.exp(-above))
    return np.clip(light * shown / np.maximum(brightest, 1e-9), 0, 1) ** (1 / DISPLAY_GAMMA)  # type: ignore[no-any-return]


def _pq_nits(signal: NDArray[Any]) -> Curve:
    """SMPTE ST 2084."""
    root = signal ** (1 / 78.84375)
    return 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)


def _hlg_nits(signal: NDArray[Any]) -> Curve:
    """ITU-R BT.2100: the scene's light, and what its own screen makes of it."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return HLG_NITS * scene * np.maximum((scene @ LUMA_2020)[..., None], 1e-9) ** 0.2  # type: ignore[no-any-return]


def _kind(decoded: av.VideoFrame) -> tuple[int, int, str, int]:
    return decoded.width, decoded.height, decoded.format.name, int(decoded.color_trc)


@cache
def _cube(transfer: int) -> str:
    """The table as FFmpeg reads it from a file."""
    steps = np.linspace(0, 1, CUBE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red changes fastest
    rows = plain(np.stack([red, green, blue], -1).reshape(-1, 3), transfer)
    return f"LUT_3D_SIZE {CUBE}\n" + "".join("{:.6f} {:.6f} {:.6f}\n".format(*row) for row in rows)
