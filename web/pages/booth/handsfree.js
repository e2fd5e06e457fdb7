// Without touching: every twelve seconds something changes, announced by a countdown that is read from two metres.

import { setting } from "./kiosk.js";
import { t } from "./strings.js";

const EVERY_S = 12;
const SHOWN_S = 5;

export class HandsFree {
  #node; #steps; #every = setting("hands") ?? EVERY_S; #left = this.#every; #next = 0; #shown = false;

  /** steps: {name: change()}, taken in turn. node: holds a <span> for what comes and a <b> for the seconds. */
  constructor(node, steps) {
    this.#node = node;
    this.#steps = Object.entries(steps);
    this.wanted = setting("hands") !== undefined; // from the start, and again for the next visitor
    this.on = this.wanted;
    setInterval(() => this.#tick(), 1000);
  }

  /** A hand was used: for a while nothing changes by itself. */
  restart() {
    this.#left = this.#every;
  }

  /** lent: the node is somebody else's just now. */
  paint(shown, lent = false) {
    if (shown !== this.#shown) this.restart();
    this.#shown = shown;
    document.querySelector(".control.hands button")?.setAttribute("aria-pressed", String(this.on));
    const counting = shown && this.on && this.#left <= SHOWN_S;
    if (!lent) this.#node.hidden = !counting;
    if (!counting) return;
    this.#node.className = "";
    this.#node.firstElementChild.textContent = t(`next_${this.#steps[this.#next][0]}`);
    this.#node.lastElementChild.textContent = this.#left;
  }

  #tick() {
    if (!this.on || !this.#shown) return;
    this.#left--;
    if (this.#left <= 0) {
      const [, change] = this.#steps[this.#next];
      this.#next = (this.#next + 1) % this.#steps.length;
      this.restart();
      change();
    }
    this.paint(this.#shown);
  }
}
