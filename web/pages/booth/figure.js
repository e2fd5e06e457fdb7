// The hint of framing: where the visitor stands, as an outline in a small frame; and the rest when nobody is there.

import { t } from "./strings.js";

const TOP = 0.02; // a head above this is cut off
const FAR = 0.45; // of the picture's height: smaller figures stand too far away
const ASIDE = 0.24; // the figure's middle this close to an edge
export const REST_S = 20; // nobody in view for this long: the next visitor finds the booth as new
const LONGEST_MS = 2 ** 31 - 1; // that a timer of the browser waits; it takes more for nothing
const COME_MS = 400; // somebody seen this long has come

/** What the visitor should do, as a key of the strings, or "" when all is well. outline: [[x, y], ...] of 0..1. */
export function advice(outline, mirrored) {
  if (!outline.length) return "step_in";
  const xs = outline.map(([x]) => x), ys = outline.map(([, y]) => y);
  const middle = (Math.min(...xs) + Math.max(...xs)) / 2, top = Math.min(...ys), height = Math.max(...ys) - top;
  if (top < TOP) return "step_back";
  if (height < FAR) return "come_closer";
  if (middle < ASIDE) return mirrored ? "go_right" : "go_left"; // unmirrored, the screen's left is one's own right
  if (middle > 1 - ASIDE) return mirrored ? "go_left" : "go_right";
  return "";
}

export class Figure {
  #hint; #tell; #outline = null; #shown = false; #mirrored = true; #resting = false; #timer = 0; #watching = false;

  /** hint: the figure element. rest(), wake(): called once each when nobody is there any more, when somebody is again. */
  constructor(hint, { rest, wake, restS = REST_S }) {
    this.#hint = hint;
    this.#tell = { rest, wake, restMs: Math.min(restS * 1000, LONGEST_MS) };
  }

  /** The camera's width over its height. */
  set shape(value) {
    this.#hint.querySelector("svg").setAttribute("viewBox", `0 0 ${75 * value} 75`);
    this.#hint.querySelector("rect").setAttribute("width", 75 * value - 2);
    this.#hint.querySelector(".guide").setAttribute("x", (75 * value - 38) / 2);
    this.width = 75 * value;
  }

  /** False while no drawing is shown: then nobody can be missed. */
  set watching(value) {
    if (value === this.#watching) return;
    this.#watching = value;
    this.#arm();
  }

  /** outline: [[x, y], ...] of 0..1 of the picture as shown; empty with nobody in view. */
  see = (outline) => {
    const came = outline.length > 0 && !this.#outline?.length, went = !outline.length && this.#outline?.length !== 0;
    this.#outline = outline;
    if (came || went) this.#arm();
    this.#draw();
  };

  forget() {
    this.#outline = null;
    this.#resting = false;
    this.#arm();
    this.#draw();
  }

  paint(shown, mirrored) {
    this.#shown = shown;
    this.#mirrored = mirrored ?? true;
    this.#draw();
  }

  #arm() {
    clearTimeout(this.#timer);
    const nobody = this.#outline?.length === 0;
    if (nobody && !this.#resting && this.#watching) this.#timer = setTimeout(() => this.#turn(true), this.#tell.restMs);
    if (!nobody && this.#resting) this.#timer = setTimeout(() => this.#turn(false), COME_MS);
  }

  #turn(resting) {
    this.#resting = resting;
    (resting ? this.#tell.rest : this.#tell.wake)();
  }

  #draw() {
    this.#hint.hidden = !this.#shown || !this.#outline;
    if (this.#hint.hidden) return;
    const points = this.#outline.map(([x, y]) => `${(x * (this.width ?? 100)).toFixed(1)},${(y * 75).toFixed(1)}`).join(" ");
    this.#hint.querySelector("polygon").setAttribute("points", points);
    const words = advice(this.#outline, this.#mirrored);
    this.#hint.querySelector("figcaption").textContent = words && t(words);
    this.#hint.querySelector("svg").setAttribute("aria-label", t("figure_hint"));
  }
}
