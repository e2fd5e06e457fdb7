// A control that several windows show: none of them pulls it out of a hand.

/** `show(value)` for something a hand may hold: while it is held, and a moment longer, other windows' values wait. */
export function polite(node, show) {
  const QUIET_MS = 350;
  let held = false, last = -QUIET_MS, newest, timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => !held && newest !== undefined && show(newest), QUIET_MS);
  };
  node.addEventListener("pointerdown", () => { held = true; });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    node.addEventListener(end, () => { held = false; last = performance.now(); later(); });
  }
  node.addEventListener("input", () => { last = performance.now(); });
  return (value) => {
    newest = value;
    if (held || performance.now() - last < QUIET_MS) later();
    else show(value);
  };
}
