"""Tempo: beats per minute and where in the beat we are, from taps, a MIDI clock, Ableton Link, or heard onsets.

Times are seconds on the caller's one clock, so nothing here reads a clock.
"""

from collections import deque

from stylizer.errors import BadInput

SLOWEST, FASTEST = 30.0, 300.0  # bpm
TAPS = 5  # at most so many are averaged
FORGET_S = 2.5  # a pause between two taps longer than this begins anew
CLOCKS_PER_BEAT = 24  # MIDI 1.0
TOLD_RULES_S = 20.0  # a tempo that was tapped or sent counts more than one that is heard


class Tempo:
    """bpm, and the time of one beat that everything else counts from."""

    def __init__(self, bpm: float = 120.0) -> None:
        self.bpm, self._origin_s = bpm, 0.0
        self._taps: deque[float] = deque(maxlen=TAPS)
        self._clocks: deque[float] = deque(maxlen=2 * CLOCKS_PER_BEAT + 1)
        self._clock_count, self._clock_stopped = 0, False
        self._told_s = -TOLD_RULES_S

    def beat(self, time_s: float) -> float:
        """Beats since the origin; the fraction is the phase."""
        return (time_s - self._origin_s) * self.bpm / 60

    def phase(self, time_s: float) -> float:
        return self.beat(time_s) % 1.0

    def set(self, bpm: float, time_s: float) -> None:
        """A new tempo from this moment on; the beat does not jump. Raises BadInput outside 30 to 300."""
        if not SLOWEST <= bpm <= FASTEST:
            raise BadInput(f"bpm: got {bpm:g}, allowed is {SLOWEST:g} to {FASTEST:g}")
        self._told_s = time_s
        self._adopt(60 / bpm, time_s, self.beat(time_s))

    def tap(self, time_s: float) -> None:
        """A hand on the beat: from the second tap on the tempo is the mean of the last few, and the beat is here."""
        if self._taps and not 0 < time_s - self._taps[-1] <= FORGET_S:
            self._taps.clear()
        self._taps.append(time_s)
        self._told_s = time_s
        if len(self._taps) > 1:
            period_s = (self._taps[-1] - self._taps[0]) / (len(self._taps) - 1)
            self._adopt(period_s, time_s, round(self.beat(time_s)))

    def midi_clock(self, time_s: float) -> None:
        """One of the 24 ticks that a MIDI clock sends for each beat."""
        if self._clocks and time_s - self._clocks[-1] > FORGET_S / CLOCKS_PER_BEAT * 4:
            self._clocks.clear()
            if not self._clock_stopped:  # a cable that was pulled: the beats went on
                self._clock_count = round(self.beat(time_s) * CLOCKS_PER_BEAT)
        self._clock_stopped = False
        self._clocks.append(time_s)
        self._told_s = time_s
        beat, self._clock_count = self._clock_count / CLOCKS_PER_BEAT, self._clock_count + 1
        if not beat:
            self._adopt(60 / self.bpm, time_s, beat)
        elif len(self._clocks) > CLOCKS_PER_BEAT and time_s > self._clocks[0]:
            period_s = (self._clocks[-1] - self._clocks[0]) / (len(self._clocks) - 1) * CLOCKS_PER_BEAT
            self._adopt(period_s, time_s, beat)

    def midi_start(self) -> None:
        """The next tick is the first beat."""
        self._clock_count = 0
        self._clocks.clear()

    def midi_stop(self) -> None:
        """The next tick goes on where the last one was."""
        self._clock_stopped = True

    def link(self, bpm: float, beat: float, time_s: float) -> None:
        """Of an Ableton Link session: its tempo, and which beat is now."""
        self._told_s = time_s
        self._adopt(60 / bpm, time_s, beat)

    def heard(self, period_s: float, beat_at_s: float, time_s: float) -> None:
        """What the ear makes of the onsets; nothing for 20 s after somebody told the tempo."""
        if time_s - self._told_s >= TOLD_RULES_S:
            self._adopt(period_s, beat_at_s, round(self.beat(beat_at_s)))

    def _adopt(self, period_s: float, at_s: float, beat: float) -> None:
        """So many seconds to a beat, and at the time at_s it is `beat`, counted on: pages show bars of four."""
        bpm = 60 / period_s
        if SLOWEST <= bpm <= FASTEST:
            self.bpm, self._origin_s = bpm, at_s - beat * period_s
