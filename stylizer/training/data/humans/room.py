"""A room of our own making to dance in: sofa, shelf, plant and window, softly lit and out of focus. The wall where arms
go up is bare, which makes it easy to cut somebody out.

World axes as a person's: dm, the floor is y = 0, the camera looks from +z.
"""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from stylizer.training.data.humans.assets import Floats
from stylizer.training.data.humans.buffer import Surface, Window, vertex_normals
from stylizer.training.data.humans.cast import Scene
from stylizer.training.data.humans.look import textured
from stylizer.training.data.humans.photo import Lamps, lit_by_sky
from stylizer.training.data.humans.view import Camera

RGB = tuple[float, float, float]
Point = tuple[float, float, float]
WALL_Z, WALL_X = -17.0, -24.0  # of the wall behind and the one on the left
RAYS, SHADOWS = 28, 20  # of the sky, of the main lamp, for each point
BLUR = 1 / 300  # of the picture's width


class Piece(NamedTuple):
    """vertices [V, 3] in the world; triangles [T, 3]; uvs [T, 3, 2]; colours [S, S, 4]; shines: 0 or its own light."""

    vertices: Floats
    triangles: np.ndarray[tuple[int, ...], np.dtype[np.int32]]
    uvs: Floats
    colours: Floats
    shines: float


def draw_room(camera: Camera, window: Window, size: int, light: Lamps, exposure: float) -> Floats:
    """The picture [size, size, 3] unit that the camera has of the empty room in that window."""
    pieces = list(furniture(np.random.default_rng(11)))
    surfaces = [_seen(piece, camera) for piece in pieces]
    scene = Scene(surfaces)
    buffer = scene.see(window, size)
    rng = np.random.default_rng(1)
    around = (light.sky * 0.75 + light.ground * 0.25) * lit_by_sky(scene, buffer, rng, RAYS)[..., None] ** 1.3
    for way, colour in zip(light.ways, light.colours, strict=True):
        cos = np.clip(buffer.normal @ way, 0, 1)
        around = (
            around + (0.75 * cos * soft_shadow(scene, buffer.position, buffer.normal, way, rng))[..., None] * colour
        )
    albedo = textured(buffer, tuple(piece.colours for piece in pieces))
    own = np.array([piece.shines for piece in pieces] + [0.0], np.float32)[buffer.surface][..., None]
    linear = albedo**2.2 * (around * (own == 0) + own)
    halo = cv2.GaussianBlur(albedo**2.2 * own, (0, 0), size / 16) * 0.35
    picture = np.clip((linear + halo) * exposure, 0, 1.1).astype(np.float32)
    return np.asarray(np.clip(_defocused(picture, size * BLUR), 0, 1) ** (1 / 2.2), np.float32)


def soft_shadow(
    scene: Scene, points: Floats, normals: Floats, way: Floats, rng: Generator, rays: int = SHADOWS
) -> Floats:
    """How much of a wide lamp in that direction each point [..., 3] sees, 0..1."""
    flat, up = points.reshape(-1, 3), normals.reshape(-1, 3)
    there = np.flatnonzero((flat[:, 2] > 0) & (up @ way > 0))
    seen = np.zeros(len(flat), np.float32)
    for _ in range(rays):
        towards = way + rng.normal(0, 0.10, 3)
        ways = np.broadcast_to((towards / np.linalg.norm(towards)).astype(np.float32), (len(there), 3))
        seen[there] += ~scene.shadowed(flat[there] + up[there] * 0.03, ways)
    return np.asarray(seen.reshape(points.shape[:-1]) / rays, np.float32)


def _defocused(picture: Floats, radius: float) -> Floats:
    """Through a round aperture."""
    r = int(np.ceil(radius))
    y, x = np.mgrid[-r : r + 1, -r : r + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(cv2.filter2D(picture, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT), np.float32)


def _seen(piece: Piece, camera: Camera) -> Surface:
    vertices = camera.points(piece.vertices)
    normals = vertex_normals(vertices, piece.triangles)
    labels = np.zeros(len(piece.triangles), np.uint8)
    return Surface(vertices, piece.triangles, piece.uvs, normals, piece.colours, None, labels)


def furniture(rng: Generator) -> Iterable[Piece]:
    wall, wood, linen, white = (0.93, 0.89, 0.83), (0.62, 0.45, 0.30), (0.90, 0.87, 0.82), (0.94, 0.93, 0.91)
    yield _floor(rng)
    yield _quad((WALL_X, 0, WALL_Z), (70, 0, 0), (0, 40, 0), wall)
    yield _quad((WALL_X, 0, 60), (0, 0, WALL_Z - 60), (0, 40, 0), (0.90, 0.86, 0.80))
    yield _box((WALL_X, 0, WALL_Z), (45, 0.9, WALL_Z + 0.2), white)
    yield from _window(rng, white, linen)
    yield from _sofa()
    yield from _shelf(rng, wood)
    yield from _plant(rng)


def _window(rng: Generator, white: RGB, linen: RGB) -> Iterable[Piece]:
    x0, x1, y0, y1, z = -19.5, -11.5, 9.5, 22.5, WALL_Z
    outside = np.ones((64, 64, 4), np.float32)
    ramp = np.linspace(1, 0, 64, dtype=np.float32)[:, None, None]
    outside[..., :3] = np.array([0.86, 0.93, 1.0]) * ramp + np.array([0.97, 0.97, 0.93]) * (1 - ramp)
    for _ in range(60):  # trees
        at = int(rng.integers(64)), int(64 - abs(rng.normal(0, 9)))
        cv2.circle(outside, at, int(rng.integers(3, 8)), (*rng.uniform((0.4, 0.6, 0.3), (0.6, 0.78, 0.5)), 1.0), -1)
    yield _quad((x0, y0, z + 0.05), (x1 - x0, 0, 0), (0, y1 - y0, 0), outside, shines=1.0)
    for x in (x0, (x0 + x1) / 2, x1):
        yield _box((x - 0.3, y0, z), (x + 0.3, y1, z + 0.5), white)
    for y in (y0, y1):
        yield _box((x0 - 0.3, y - 0.3, z), (x1 + 0.3, y + 0.3, z + (1.4 if y == y0 else 0.5)), white)
    for a, b in ((x0 - 2.2, x0 + 0.8), (x1 - 0.8, x1 + 2.2)):
        yield _curtain(a, b, 1.0, y1 + 1.2, z + 1.2, linen)


def _curtain(x0: float, x1: float, y0: float, y1: float, z: float, colour: RGB) -> Piece:
    u = np.linspace(0, 1, 60)
    x, fold = x0 + (x1 - x0) * u, z + 0.35 * np.sin(u * 2 * np.pi * 5)
    low, high = (np.stack([x, np.full_like(x, y), fold], 1) for y in (y0, y1))
    i = np.arange(59)
    triangles = np.concatenate([np.stack([i, i + 1, i + 60], 1), np.stack([i + 1, i + 61, i + 60], 1)])
    return _piece(np.concatenate([low, high]), triangles, colour)


def _sofa() -> Iterable[Piece]:
    blue, dark = (0.40, 0.50, 0.58), (0.36, 0.46, 0.54)
    yield _box((-19, 1.0, -15.5), (-6.5, 4.2, -7.5), blue)
    yield _box((-19, 4.0, -15.8), (-6.5, 8.3, -13.4), dark)
    for x in (-20.0, -7.0):
        yield _box((x, 1.0, -15.8), (x + 1.5, 6.0, -7.5), dark)
    yield _box((-17.0, 4.3, -13.6), (-13.9, 7.3, -12.4), (0.90, 0.70, 0.32))
    yield _box((-13.5, 4.3, -13.7), (-10.7, 7.0, -12.6), (0.88, 0.86, 0.82))


def _shelf(rng: Generator, wood: RGB) -> Iterable[Piece]:
    x0, x1, depth = 8.5, 19.5, WALL_Z + 3.2
    colours = (
        (0.75, 0.30, 0.26),
        (0.25, 0.42, 0.55),
        (0.90, 0.78, 0.50),
        (0.35, 0.52, 0.44),
        (0.92, 0.90, 0.86),
        (0.55, 0.36, 0.46),
        (0.30, 0.30, 0.36),
    )
    yield _quad((x0, 0, WALL_Z + 0.1), (x1 - x0, 0, 0), (0, 21, 0), (0.70, 0.60, 0.50))
    for x in (x0, x1):
        yield _box((x - 0.2, 0, WALL_Z), (x + 0.2, 21, depth), wood)
    for y in (0.4, 4.6, 8.8, 13.0, 17.2, 21.0):
        yield _box((x0, y - 0.2, WALL_Z), (x1, y + 0.2, depth), wood)
        x = x0 + 0.4
        while y < 20 and x < x1 - 1.2:
            if rng.random() < 0.18:
                x += float(rng.uniform(0.8, 2.2))
                continue
            wide, tall = float(rng.uniform(0.25, 0.6)), float(rng.uniform(2.2, 3.4))
            colour = colours[int(rng.integers(len(colours)))]
            yield _box((x, y + 0.2, WALL_Z + 0.5), (x + wide, y + 0.2 + tall, depth - 0.5), colour)
            x += wide + 0.03


def _plant(rng: Generator) -> Iterable[Piece]:
    foot = np.array([5.4, 0.0, -12.5])
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angle), np.zeros(24), np.sin(angle)], 1)
    i = np.arange(24)
    j = (i + 1) % 24
    sides = np.concatenate([np.stack([i, i + 24, j], 1), np.stack([j, i + 24, j + 24], 1)])
    yield _piece(np.concatenate([foot + ring * 1.0, foot + ring * 1.4 + (0, 2.8, 0)]), sides, (0.86, 0.62, 0.46))
    for k in range(26):
        turn, rise, long = k * 2.4, rng.uniform(0.35, 1.35), rng.uniform(3.0, 6.0)
        out = np.array([np.cos(turn), 0, np.sin(turn)])
        s = np.linspace(0, 1, 8)[:, None]
        spine = (
            foot
            + (0, 2.6, 0)
            + out * long * np.sin(rise) * s * (1 + 0.2 * s)
            + np.array([0, 1, 0]) * long * (1.6 * np.cos(rise) * s - 0.75 * s**2.2 + 0.5 * s)
        )
        across = np.cross(out, (0, 1, 0)) * 0.55 * np.sin(np.pi * (s * 0.92 + 0.08)) ** 0.7
        n = np.arange(7)
        blades = np.concatenate([np.stack([n, n + 1, n + 8], 1), np.stack([n + 1, n + 9, n + 8], 1)])
        green = tuple(np.array([0.30, 0.50, 0.30]) * rng.uniform(0.75, 1.25))
        yield _piece(np.concatenate([spine - across, spine + across]), blades, (green[0], green[1], green[2]))


def _floor(rng: Generator) -> Piece:
    """Boards, and a round rug where one dances."""
    wide, deep, scale = 64.0, 50.0, 20
    h, w = int(deep * scale), int(wide * scale)
    rows = np.arange(h) // int(1.4 * scale)
    shift = rng.uniform(0, 1, rows.max() + 1)
    boards = ((np.arange(w)[None] / (9 * scale) + shift[rows][:, None]).astype(int) + rows[:, None] * 31) % 97
    tone = rng.normal(1, 0.07, 97)[boards]
    grain = cv2.resize(rng.normal(0, 0.05, (h, w // 24)).astype(np.float32), (w, h))
    colours = np.ones((h, w, 4), np.float32)
    colours[..., :3] = np.array([0.66, 0.49, 0.35]) * (tone + grain)[..., None]
    y, x = np.mgrid[0:h, 0:w] / scale
    far = np.hypot((x - wide / 2), (y - 21.0) * 1.35)  # row 0 lies at the wall
    cream = (0.90, 0.86, 0.79)
    for radius, colour in ((12.0, (0.70, 0.36, 0.30)), (11.4, cream), (9.4, (0.42, 0.52, 0.56)), (9.0, cream)):
        colours[far < radius, :3] = colour
    return _quad((-wide / 2, 0, WALL_Z + deep), (wide, 0, 0), (0, 0, -deep), colours.clip(0, 1))


def _quad(corner: Point, right: Point, up: Point, colour: RGB | Floats, shines: float = 0.0) -> Piece:
    """A texture's row 0 lies at corner + up."""
    c, r, u = (np.array(p, np.float32) for p in (corner, right, up))
    uvs = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32).clip(1e-4, 1 - 1e-4)
    piece = _piece(np.stack([c, c + r, c + r + u, c + u]), np.array([[0, 1, 2], [0, 2, 3]]), (1, 1, 1))
    texture = colour if isinstance(colour, np.ndarray) else piece.colours * np.array([*colour, 1], np.float32)
    return piece._replace(uvs=uvs, colours=texture.astype(np.float32), shines=shines)


def _box(low: Point, high: Point, colour: RGB) -> Piece:
    """Its faces share no corners, so that its edges are sharp."""
    a, b = np.array(low), np.array(high)
    faces = []
    for axis in range(3):
        for end in (a, b):
            p, q = (axis + 1) % 3, (axis + 2) % 3
            corners = np.tile(end, (4, 1)).astype(np.float32)
            corners[:, p], corners[:, q] = np.array([a[p], b[p], b[p], a[p]]), np.array([a[q], a[q], b[q], b[q]])
            faces.append(corners)
    first = np.arange(6)[:, None] * 4
    triangles = np.concatenate([first + (0, 1, 2), first + (0, 2, 3)])
    return _piece(np.concatenate(faces), triangles, colour)


def _piece(vertices: Floats, triangles: np.ndarray[tuple[int, ...], np.dtype[np.int64]], colour: RGB) -> Piece:
    uvs = np.full((len(triangles), 3, 2), 0.5, np.float32)
    texture = np.array([[[*colour, 1.0]]], np.float32)
    return Piece(np.asarray(vertices, np.float32), triangles.astype(np.int32), uvs, texture, 0.0)
