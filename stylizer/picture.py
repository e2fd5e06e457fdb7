"""Single pictures, from bytes and back. The size is read from the header before a pixel is decoded."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from stylizer.errors import BadInput, Unreadable
from stylizer.frame import MAX_PIXELS, PixelsU8, check_pixels

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}

NOT_READ = (".heic", ".heif", ".avif")  # pictures, too; FFmpeg takes them for films, of one tile

MAX_SIDE_PX = {"WEBP": 16383, "JPEG": 65500}

ORIENTATION = 0x112  # EXIF's tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_picture(
    data: bytes, name: str, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] = FORMATS
) -> PixelsU8:
    """uint8 [H, W, 3] RGB, upright by its EXIF tag, transparency over white.

    Of one that moves the first picture. name: what the message calls it. Raises Unreadable for what is no picture,
    BadInput for one that is too large or whose numbers have 32 bits.
    """
    upright = _decode(data, name, max_pixels, formats)
    white = Image.new("RGBA", upright.size, "white")
    pixels = np.asarray(Image.alpha_composite(white, upright).convert("RGB"))
    check_pixels(name, pixels)
    return pixels


def _decode(data: bytes, name: str, max_pixels: int, formats: tuple[str, ...]) -> Image.Image:
    """RGBA, upright."""
    try:
        with Image.open(io.BytesIO(data), formats=formats) as picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise BadInput(f"{name}: {width}x{height} pixels, at most {max_pixels} are allowed")
            if picture.mode in ("I", "F"):  # nothing in it says which number is white
                raise BadInput(f"{name}: holds numbers of 32 bits; allowed are 8 and 16")
            picture.load()  # here Pillow turns a TIFF by itself, and takes its tag away
            return _upright(_in_8_bits(picture)).convert("RGBA")
    except UnidentifiedImageError:
        raise Unreadable(f"{name}: no picture that can be read; allowed are {', '.join(formats)}") from None
    except BadInput:
        raise
    except Exception as error:  # any: of a broken file Pillow's decoders fail with whatever Python raises there
        raise Unreadable(f"{name}: the picture is broken ({error})") from None


def _upright(picture: Image.Image) -> Image.Image:
    """By the one tag that says so. Pillow's `exif_transpose` writes all of them anew and fails for one that is odd."""
    turn = TURNS.get(picture.getexif().get(ORIENTATION, 1))
    return picture if turn is None else picture.transpose(turn)


def _in_8_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits, as scanners write it, would be cut off at 255: all white."""
    if not picture.mode.startswith("I;16"):
        return picture
    grey = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    grey.info |= picture.info
    return grey


def encode_picture(pixels: PixelsU8, format: str = "PNG") -> bytes:
    """Raises BadInput for a side that is longer than the format can say."""
    height, width = pixels.shape[:2]
    if max(width, height) > (limit := MAX_SIDE_PX.get(format, width + height)):
        raise BadInput(f"picture: {width}x{height} pixels, {format} holds {limit} on a side; PNG holds more")
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format=format, quality=92)
    return out.getvalue()


def read_picture(path: Path) -> PixelsU8:
    """Raises Unreadable naming the path when it is missing or no picture."""
    return decode_picture(_bytes_of(path), str(path))


def read_rgba(path: Path) -> PixelsU8:
    """uint8 [H, W, 4], straight, with the picture's own transparency. Raises as `read_picture` does."""
    return np.asarray(_decode(_bytes_of(path), str(path), MAX_PIXELS, FORMATS))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
