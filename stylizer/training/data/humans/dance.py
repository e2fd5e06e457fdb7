"""The film for machines without a camera: somebody dances in a room, once seen whole, once as near as a bust.

Everything moves in whole periods, so the film loops without a seam. The person is MakeHuman's, from assets that the
user has; room, dance and camera are our own. `python -m stylizer.training.data.humans.dance ASSETS OUT.mp4`
"""

import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.training.data.humans.assets import Floats
from stylizer.training.data.humans.buffer import Window
from stylizer.training.data.humans.cast import Scene
from stylizer.training.data.humans.look import textured
from stylizer.training.data.humans.moves import FRAMES, RATE, SECONDS, near, pose
from stylizer.training.data.humans.pairs import FINE, surfaces_of
from stylizer.training.data.humans.photo import Lamps, light_on
from stylizer.training.data.humans.rig import turn
from stylizer.training.data.humans.room import draw_room, soft_shadow
from stylizer.training.data.humans.troupe import body_of
from stylizer.training.data.humans.view import Camera

WIDTH, HEIGHT = 640, 480
CAMERA = Camera(turn((1, 0, 0), 3.0), np.array([0.0, 10.0, 0.0], np.float32), 34.0)
WHOLE, BUST = 0.79, 0.24  # width of what is seen, in the plane z = 1
LOOKS_AT = 0.0, 0.027  # the middle of the whole picture: x, y of that plane
HEAD_AT = 0.62  # of the bust's height, from its top to the chin
ROOM_PX = 800  # side of the room's picture
EXPOSURE, RAYS = 1.35, 12
NOISE = 1.1  # of 255, a webcam's


def _unit(*xyz: float) -> list[float]:
    return list(np.array(xyz) / np.linalg.norm(xyz))


LIGHT = Lamps(
    np.array([_unit(-0.55, -0.62, -0.75), _unit(0.75, -0.35, -0.60)], np.float32),
    np.array([[0.62, 0.58, 0.53], [0.17, 0.19, 0.22]], np.float32),
    np.array([0.44, 0.45, 0.47], np.float32),
    np.array([0.30, 0.27, 0.24], np.float32),
    0.3,
)


def seen(t: float, chin: Floats) -> Window:
    """The square whose upper three quarters are the frame. chin: in camera space [3]."""
    share = near(t)
    side = float(np.exp(np.log(WHOLE) * (1 - share) + np.log(BUST) * share))
    way = (WHOLE - side) / (WHOLE - BUST)
    far = np.array(LOOKS_AT)
    close = np.array([chin[0] / chin[2], chin[1] / chin[2] - (HEAD_AT - 0.5) * BUST * HEIGHT / WIDTH])
    middle = far + (close - far) * way
    return Window(float(middle[0] - side / 2), float(middle[1] - side * HEIGHT / WIDTH / 2), side)


def draw_frame(assets: Path, t: float, dancer: str) -> NDArray[np.uint8]:
    """What a camera sees of that dancer at t of the loop, 0..1: uint8 [480, 640, 3] RGB."""
    body = body_of(assets, dancer)
    dance = pose(t, body.dancer.manner)
    person = body.posed(dance)
    look = body.look(person)
    scene = Scene(surfaces_of(person, look, CAMERA))
    window = seen(t, CAMERA.points(_calm_chin(assets, dancer)))
    frame = _behind(window)
    frame *= _floor_shade(scene, window)[..., None]
    x, y, side = _around(scene, window)
    px = window.side / WIDTH
    part = Window(window.x + x * px, window.y + y * px, side * px)
    buffer = scene.see(part, side * FINE)
    kinds = [p.kind for p in person.parts]
    around, glow = light_on(scene, buffer, kinds, LIGHT, np.random.default_rng(3), RAYS)
    linear = textured(buffer, look.worn) ** 2.2 * around + glow
    rgb = np.clip(linear * EXPOSURE, 0, 1) ** (1 / 2.2) * (buffer.surface >= 0)[..., None]
    small = cv2.resize(
        np.dstack([rgb, buffer.surface >= 0]).astype(np.float32), (side, side), interpolation=cv2.INTER_AREA
    )
    y1, x1 = min(y + side, HEIGHT), min(x + side, WIDTH)
    small = small[max(-y, 0) : y1 - y, max(-x, 0) : x1 - x]
    spot = frame[max(y, 0) : y1, max(x, 0) : x1]
    spot[:] = spot * (1 - small[..., 3:]) + small[..., :3]
    return _sensed(frame, t)


def _sensed(frame: Floats, t: float) -> NDArray[np.uint8]:
    """As a webcam gives it: a little soft, a little noisy."""
    rng = np.random.default_rng(round(t * FRAMES))
    soft = cv2.GaussianBlur(frame, (0, 0), 0.55) * 255 + rng.normal(0, NOISE, frame.shape)
    return np.asarray(np.clip(soft, 0, 255) + 0.5, np.uint8)


@lru_cache(maxsize=4)
def _calm_chin(assets: Path, dancer: str) -> Floats:
    """Where it is on average: the camera does not follow each nod."""
    body = body_of(assets, dancer)
    times = (4.8, 5.1, 5.4, 5.7)
    return np.asarray(
        np.mean([body.posed(pose(s / SECONDS, body.dancer.manner)).face["chin"] for s in times], axis=0), np.float32
    )


def _around(scene: Scene, window: Window) -> tuple[int, int, int]:
    """x, y and side, px of the frame, of a square that holds what is seen of the scene."""
    points = np.concatenate([s.vertices[s.triangles].reshape(-1, 3) for s in scene.surfaces])
    at = window.pixels(points, WIDTH)
    low = np.floor(at.min(0)).astype(int).clip(0, (WIDTH - 1, HEIGHT - 1)) - 1
    high = np.ceil(at.max(0)).astype(int).clip(1, (WIDTH, HEIGHT)) + 1
    return int(low[0]), int(low[1]), int((high - low).max())


@lru_cache(maxsize=1)
def _room() -> tuple[Floats, Window]:
    window = Window(LOOKS_AT[0] - WHOLE / 2, LOOKS_AT[1] - WHOLE / 2, WHOLE)
    return draw_room(CAMERA, window, ROOM_PX, LIGHT, EXPOSURE), window


def _behind(window: Window) -> Floats:
    """That part of the empty room, [480, 640, 3] unit."""
    picture, whole = _room()
    scale = ROOM_PX / whole.side
    step = window.side / WIDTH * scale
    moved = np.array(
        [[step, 0, (window.x - whole.x) * scale + step / 2], [0, step, (window.y - whole.y) * scale + step / 2]]
    )
    flags = cv2.INTER_AREA if step > 1 else cv2.INTER_LINEAR
    return np.asarray(
        cv2.warpAffine(
            picture, moved, (WIDTH, HEIGHT), flags=flags | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        ),
        np.float32,
    )


def _floor_shade(scene: Scene, window: Window) -> Floats:
    """What the dancer's shadow leaves of the light in each pixel, [480, 640] 0..1."""
    step = 2
    u = (np.arange(0, WIDTH, step) + step / 2) * window.side / WIDTH + window.x
    v = (np.arange(0, HEIGHT, step) + step / 2) * window.side / WIDTH + window.y
    ways = np.stack([*np.meshgrid(u, v), np.ones((len(v), len(u)))], -1).astype(np.float32)
    up = CAMERA.ways(np.array([0, 1, 0], np.float32))
    level = CAMERA.points(np.zeros(3, np.float32))
    down = ways @ up
    far = np.where(down < -1e-3, float(level @ up) / np.minimum(down, -1e-3), 0).astype(np.float32)
    points = ways * far[..., None]
    close = (far > 0) & (np.linalg.norm(points - level, axis=-1) < 16)
    points[~close] = 0
    rng = np.random.default_rng(5)
    normals = np.broadcast_to(up, points.shape)
    lamp, total = np.zeros(close.shape, np.float32), 0.0
    for way, colour in zip(LIGHT.ways, LIGHT.colours, strict=True):
        weight = float(up @ way) * float(colour.mean())
        lamp += weight * soft_shadow(scene, points, normals, way, rng, 8)
        total += weight
    sky = np.mean([soft_shadow(scene, points, normals, _over(up, rng), rng, 6) for _ in range(3)], axis=0)
    weight = float(LIGHT.sky.mean())
    shade = np.where(close, ((lamp + weight * sky) / (total + weight)) ** (1 / 2.2), 1).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(cv2.resize(shade, (WIDTH, HEIGHT)), (0, 0), 1.5), np.float32)


def _over(up: Floats, rng: np.random.Generator) -> Floats:
    way = up * 1.2 + rng.normal(0, 0.5, 3)
    return np.asarray(way / np.linalg.norm(way), np.float32)


def draw_frames(assets: Path, moments: Iterable[tuple[str, int]]) -> dict[tuple[str, int], NDArray[np.uint8]]:
    """The pictures of those dancers at those frames of the loop, by two processes."""
    wanted = list(dict.fromkeys(moments))
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        return dict(zip(wanted, pool.map(partial(_drawn, assets), wanted, chunksize=4), strict=True))


def _drawn(assets: Path, moment: tuple[str, int]) -> NDArray[np.uint8]:
    return draw_frame(assets, moment[1] / FRAMES, moment[0])


def write_clip(assets: Path, target: Path) -> None:
    """Writes the loop as H.264. Raises BadInput naming what the assets lack."""
    frames = draw_frames(assets, [("juno", index) for index in range(FRAMES)])  # before an older film is overwritten
    with av.open(str(target), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(RATE), options={"crf": "23", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for pixels in frames.values():
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode(None))


if __name__ == "__main__":
    write_clip(Path(sys.argv[1]), Path(sys.argv[2]))
