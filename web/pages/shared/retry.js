// How long a line that was lost waits before each try to come back: LiveKit's curve, whose last step repeats.

const WAITS_MS = [0, 300, 1200, 2700, 4800, 7000];

/** attempt: how many tries have failed so far. */
export const waitMs = (attempt) => WAITS_MS[Math.min(attempt, WAITS_MS.length - 1)];
