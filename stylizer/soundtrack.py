"""A film's sound on its way into another film: copied where that film's form knows the codec, otherwise AAC."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer

COPIED = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")
LEAD_IN_S = 0.1  # of sound before the beginning, which decoders need to begin; more was cut off, by a phone say
NOT_IN_MOV = ("opus", "flac")
BROKEN = (
    av.error.FFmpegError,
    IndexError,
    ValueError,
)  # the last two are PyAV's: streams or a sound's form that change


def url_of(path: Path) -> str:
    """What FFmpeg opens as a file whatever its name is: in `12:30.mp4` it would see the protocol `12`."""
    return str(path.absolute())


class Soundtrack:
    """Moves sound into `output` as far as the pictures have come, so that the file can end at any moment.

    What is broken of it is left out; sound that cannot be decoded at all is silence.
    """

    def __init__(self, source: Path, output: OutputContainer, starts_s: Fraction = Fraction(0)) -> None:
        """The source is opened once more: its pictures need not wait for its sound. It must have an audio stream.

        starts_s: the time of the source, in seconds, that is 0 in the output.
        """
        self._input = av.open(url_of(source))
        self._output, self._starts_s = output, starts_s
        self._from: AudioStream = self._input.streams.audio[0]
        known = self._from.codec_context is not None  # None for a codec that FFmpeg does not know
        name = self._from.codec_context.name if known else ""
        self._copied = name in COPIED and not (output.format.name == "mov" and name in NOT_IN_MOV)
        self._packets: Iterator[av.Packet] = iter(())
        self._to: AudioStream | None = None
        if self._copied:
            self._to = output.add_stream_from_template(self._from)
            self._packets = self._copies()
        elif known:
            self._to = output.add_stream("aac", rate=_nearest(self._from.codec_context.sample_rate))
            self._packets = self._transcoded(self._to)
        self._waiting: av.Packet | None = None

    def advance(self, until_s: float) -> None:
        """Writes all sound that begins before `until_s`, in seconds of the output."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            if packet.pts is not None and packet.time_base and float(packet.pts * packet.time_base) >= until_s:
                self._waiting = packet
                return
            self._write(packet)

    def close(self) -> None:
        if self._to is not None and not self._copied:
            for packet in self._to.encode(None):
                self._write(packet)
        self._input.close()

    def _write(self, packet: av.Packet) -> None:
        packet.stream = self._to
        try:
            self._output.mux(packet)
        except av.error.ArgumentError:  # a broken packet's time
            pass

    def _demuxed(self) -> Iterator[av.Packet]:
        """Until the end, or where the container is torn."""
        packets = self._input.demux(self._from)
        while True:
            try:
                yield next(packets)
            except (StopIteration, *BROKEN):
                return

    def _copies(self) -> Iterator[av.Packet]:
        for packet in self._demuxed():
            if packet.dts is not None:  # the last one of a demuxer is an empty signal
                packet.dts -= (ticks := round(self._starts_s / packet.time_base))
                packet.pts = None if packet.pts is None else packet.pts - ticks
                if packet.dts * packet.time_base > -LEAD_IN_S:
                    yield packet

    def _transcoded(self, to: AudioStream) -> Iterator[av.Packet]:
        for packet in self._demuxed():
            try:
                for frame in packet.decode():
                    if frame.pts is not None:
                        frame.pts -= round(self._starts_s / frame.time_base)
                    yield from to.encode(frame)
            except BROKEN:
                continue


def _nearest(rate_hz: int) -> int:
    """The rate nearest to it that AAC has: studios record at 192 kHz."""
    rates: list[int] = av.Codec("aac", "w").audio_rates or [rate_hz]
    return min(rates, key=lambda known: abs(known - rate_hz))
