"""The number in the corner is read where the picture came through a codec, and not where it did not come through."""

import numpy as np
import pytest
from aiortc.codecs import get_decoder, get_encoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av import VideoFrame

from stylizer.bench.block_code import HEIGHT, WIDTH, read, stamp
from stylizer.frame import VIDEO_CLOCK
from tests.conftest import Rng


@pytest.mark.parametrize("number", [0, 1, 0xAAAA, 0xFFFF])
def test_number_survives_a_live_codec(number: int, rng: Rng) -> None:
    pixels = np.repeat(np.repeat(rng.pixels_u8(12, 20, 3), 15, 0), 16, 1)
    stamp(pixels, number)
    frame = VideoFrame.from_ndarray(pixels, format="rgb24")
    frame.pts, frame.time_base = 0, VIDEO_CLOCK
    parameters = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=97)
    packets, _ = get_encoder(parameters).encode(frame)
    from aiortc.codecs.vpx import VpxPayloadDescriptor

    data = b"".join(VpxPayloadDescriptor.parse(packet)[1] for packet in packets)
    (decoded,) = get_decoder(parameters).decode(JitterFrame(data, 0))
    assert read(decoded.to_ndarray(format="rgb24")) == number


def test_a_picture_without_a_number_has_none(rng: Rng) -> None:
    assert read(np.full((HEIGHT, WIDTH, 3), 128, np.uint8)) is None
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stamp(pixels, 5)
    pixels[:, :16] = 0  # one bit lost: the parity tells
    assert read(pixels) is None
    with pytest.raises(ValueError, match="needs 272x16"):
        stamp(np.zeros((16, 100, 3), np.uint8), 1)
