// Taking it home: a countdown, six seconds of recording, then a QR code. Nothing is made before the visitor asks.

import { problem } from "/shared/problems.js";
import { kiosk } from "./kiosk.js";
import { t } from "./strings.js";

const COUNT_S = 3;
const CLIP_S = 6;
const SHOWN_MS = 60_000; // the code leaves the screen after this, for the next visitor's sake
const second = () => new Promise((next) => setTimeout(next, 1000));

export class TakeHome {
  #dialog; #count; #line; #timer = 0; #round = 0; #said = null;

  /** dialog: for the code. count: holds a <span> and a <b>. line(): the Mirror that is live now, or null. */
  constructor(dialog, count, line) {
    this.#dialog = dialog;
    this.#count = count;
    this.#line = line;
    this.busy = false;
    dialog.querySelector("button").onclick = () => dialog.close(); // a recording under way goes on
    dialog.addEventListener("close", () => clearTimeout(this.#timer));
  }

  async start() {
    if (this.busy) return;
    this.busy = true;
    const round = ++this.#round;
    try {
      await this.#countDown("get_ready", COUNT_S, round);
      if (round !== this.#round) return;
      const recording = this.#line().ask("POST", "keepsake");
      recording.catch(() => {}); // awaited below, after the seconds are counted
      await this.#countDown("recording", CLIP_S, round);
      this.#countNow("one_moment", "");
      const taken = await recording;
      if (round === this.#round) this.#show({ title: "taken", more: "taken_more", minutes: Math.round(taken.seconds_left / 60), ...taken });
    } catch (error) {
      if (round === this.#round) this.say("not_taken", problem(error), error.message);
    } finally {
      if (round === this.#round) this.#over();
    }
  }

  /** One sentence for the visitor, in the same place: keys of its words, and what the worker said. */
  say(title, more, detail = "") {
    this.#show({ title, more, detail });
  }

  close() {
    this.#round++;
    this.#over();
    this.#said = null;
    if (this.#dialog.open) this.#dialog.close();
  }

  /** The line is gone: what was to be recorded is not any more. A code that is shown stays. */
  giveUp() {
    if (this.busy) this.close();
  }

  /** Again, in the language that holds now. */
  paint() {
    if (!this.#said) return;
    const { title, more, minutes, qr, url, detail = "" } = this.#said;
    const part = (id) => this.#dialog.querySelector(id);
    part("h2").textContent = t(title);
    part("#taken-more").textContent = t(more, { minutes });
    part("#taken-detail").textContent = detail;
    part("#taken-detail").hidden = !detail;
    part("#code").hidden = part("#address").hidden = !qr;
    if (qr) Object.assign(part("#code"), { src: qr, alt: t("code") });
    part("#address").textContent = url ?? "";
    if (url && !kiosk) Object.assign(part("#address"), { href: url, target: "_blank", rel: "noopener" }); // a phone cannot read its own screen
    part("button").textContent = t("done");
  }

  #over() {
    if (this.busy) this.#count.hidden = true;
    this.busy = false;
  }

  #show(said) {
    this.#said = said;
    this.paint();
    if (!this.#dialog.open) this.#dialog.showModal();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dialog.close(), SHOWN_MS);
  }

  async #countDown(words, seconds, round) {
    for (let left = seconds; left > 0 && round === this.#round; left--) {
      this.#countNow(words, left);
      await second();
    }
  }

  #countNow(words, left) {
    this.#count.hidden = false;
    this.#count.className = words === "get_ready" ? "big" : "";
    this.#count.firstElementChild.textContent = t(words);
    this.#count.lastElementChild.textContent = left;
  }
}
