"""A film's sound on its way into another film: copied where MP4 knows the codec, otherwise AAC."""

from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer

COPIED = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")


class Soundtrack:
    """Moves sound into `output` as far as the pictures have come, so that the file can end at any moment."""

    def __init__(self, source: Path, output: OutputContainer) -> None:
        """The source is opened once more: its pictures need not wait for its sound. It must have an audio stream."""
        self._input = av.open(str(source))
        self._output = output
        self._from: AudioStream = self._input.streams.audio[0]
        self._copied = self._from.codec_context.name in COPIED
        if self._copied:
            self._to = output.add_stream_from_template(self._from)
        else:
            self._to = output.add_stream("aac", rate=self._from.codec_context.sample_rate)
        self._packets = self._copies() if self._copied else self._transcoded()
        self._waiting: av.Packet | None = None

    def advance(self, until_s: float) -> None:
        """Writes all sound that begins before `until_s`, in seconds of the source."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            if packet.pts is not None and packet.time_base and float(packet.pts * packet.time_base) >= until_s:
                self._waiting = packet
                return
            packet.stream = self._to
            self._output.mux(packet)

    def close(self) -> None:
        if not self._copied:
            for packet in self._to.encode(None):
                packet.stream = self._to
                self._output.mux(packet)
        self._input.close()

    def _copies(self) -> Iterator[av.Packet]:
        for packet in self._input.demux(self._from):
            if packet.dts is not None:  # the last one of a demuxer is an empty signal
                yield packet

    def _transcoded(self) -> Iterator[av.Packet]:
        for frame in self._input.decode(self._from):
            yield from self._to.encode(frame)
