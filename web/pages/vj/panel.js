// The control table as sliders, pads and buttons. A row that is new in the table appears by itself under "more".

import { element } from "/shared/elements.js";
import { help } from "./help.js";
import { polite } from "./polite.js";
import { label, t } from "./strings.js";

const PLACED = ["model_a", "model_b", "crossfade", "freeze", "blackout", "strobe_guard", "collapse_guard"]; // elsewhere on the page
const GROUPS = {
  loop: ["rate", "noise_1", "noise_2", "noise_3", "noise_speed"],
  motion: ["shift_x", "shift_y", "zoom", "rotate", "fold", "segments", "focus"],
  guest: ["inject", "inject_gain", "inject_blend"],
  colour: ["hue", "invert", "false_colour"],
  out: ["output_size"],
};
const PADS = [["shift_x", "shift_y"], ["rotate", "zoom"]];

export class Panel {
  #change; #wire; #rows; #shows = {}; #wires = {};

  /** change(changes), wire(row): what a hand did. rows: of the table. */
  constructor(rows, change, wire) {
    this.#rows = Object.fromEntries(rows.map((row) => [row.name, row]));
    this.#change = change;
    this.#wire = wire;
  }

  build(place) {
    this.#shows = {};
    this.#wires = {};
    const grouped = Object.values(GROUPS).flat();
    const more = Object.keys(this.#rows).filter((name) => !PLACED.includes(name) && !grouped.includes(name));
    const groups = more.length ? { ...GROUPS, more } : GROUPS;
    place.replaceChildren(...Object.entries(groups).map(([name, rows]) => this.#group(name, rows)));
  }

  /** One slider built for a place outside the groups. */
  slider(name) {
    return this.#slider(this.#rows[name]);
  }

  show(controls) {
    for (const [name, value] of Object.entries(controls)) for (const show of this.#shows[name] ?? []) show(value);
  }

  /** wiring: {knobs, learning, follows} of the stage. */
  showWiring(wiring) {
    for (const [name, button] of Object.entries(this.#wires)) {
      const knobs = wiring.knobs[name] ?? [], follow = wiring.follows[name];
      button.textContent = [...knobs.map((k) => k.replace(/^cc:\d+:/, "cc ").replace(/^note:\d+:/, "key ")), ...(follow ? [t(follow.source)] : [])].join(" · ") || "+";
      button.classList.toggle("set", knobs.length > 0 || Boolean(follow));
      button.classList.toggle("learning", wiring.learning === name);
    }
  }

  #group(name, rows) {
    const pads = PADS.filter(([x]) => rows.includes(x));
    const present = rows.filter((row) => row in this.#rows);
    return element("section", { className: `group ${name}` },
      element("h2", { textContent: t(`group_${name}`) }),
      ...(pads.length ? [element("div", { className: "pads" }, ...pads.map(([x, y]) => this.#pad(this.#rows[x], this.#rows[y])))] : []),
      ...present.map((row) => this.#widget(this.#rows[row])));
  }

  #widget(row) {
    if (row.kind === "choice") return this.#choice(row);
    if (row.kind === "bool") return this.#toggle(row);
    return this.#slider(row);
  }

  #slider(row) {
    const range = row.hi - row.lo, digits = range > 3 ? 1 : range > 0.5 ? 2 : 3;
    const value = element("output", { className: "value" });
    const input = element("input", { type: "range", min: row.lo, max: row.hi, step: row.kind === "int" ? 1 : range / 1000, ariaLabel: label(row.name), title: help(row) });
    input.dataset.control = row.name;
    const paint = () => {
      input.style.setProperty("--part", `${((input.value - row.lo) / range) * 100}%`);
      value.textContent = row.kind === "int" ? input.value : Number(input.value).toFixed(digits);
    };
    input.addEventListener("input", () => { paint(); this.#change({ [row.name]: Number(input.value) }); });
    input.addEventListener("dblclick", () => this.#reset(row));
    this.#learnShow(row.name, polite(input, (now) => { input.value = now; paint(); }));
    return element("div", { className: `control slider ${row.name}` },
      element("span", { className: "name", textContent: label(row.name), title: help(row) }), value, this.#wireButton(row), input);
  }

  #choice(row) {
    const buttons = row.choices.map((choice) => element("button", {
      type: "button", className: "choice", value: choice, textContent: label(choice), onclick: () => this.#change({ [row.name]: choice }),
    }));
    this.#learnShow(row.name, (now) => buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.value === now))));
    return element("div", { className: `control ${row.name}`, role: "group", ariaLabel: label(row.name) },
      element("span", { className: "name", textContent: label(row.name), title: help(row) }), this.#wireButton(row),
      element("div", { className: "choices" }, ...buttons));
  }

  #toggle(row) {
    const button = element("button", { type: "button", className: "choice", textContent: label(row.name), title: help(row) });
    button.onclick = () => this.#change({ [row.name]: button.getAttribute("aria-pressed") !== "true" });
    this.#learnShow(row.name, (now) => button.setAttribute("aria-pressed", String(now)));
    return element("div", { className: `control ${row.name}` }, button);
  }

  /** Two controls under one finger; their sliders below it are for keyboards and for exact work. */
  #pad(x, y) {
    const dot = element("i"), pad = element("div", { className: "pad", title: t("pad_hint") }, dot,
      element("span", { className: "x", textContent: label(x.name) }), element("span", { className: "y", textContent: label(y.name) }));
    pad.dataset.control = x.name;
    const downwards = y.name === "shift_y"; // moves the picture where the finger goes
    const now = { [x.name]: x.default, [y.name]: y.default };
    const paint = () => {
      dot.style.left = `${((now[x.name] - x.lo) / (x.hi - x.lo)) * 100}%`;
      const share = (now[y.name] - y.lo) / (y.hi - y.lo);
      dot.style.top = `${(downwards ? share : 1 - share) * 100}%`;
    };
    const turn = (event) => {
      const box = pad.getBoundingClientRect();
      const along = (row, share) => row.lo + Math.min(1, Math.max(0, share)) * (row.hi - row.lo);
      const down = (event.clientY - box.top) / box.height;
      Object.assign(now, { [x.name]: along(x, (event.clientX - box.left) / box.width), [y.name]: along(y, downwards ? down : 1 - down) });
      paint();
      this.#change({ ...now });
    };
    pad.onpointerdown = (event) => { pad.setPointerCapture(event.pointerId); turn(event); };
    pad.onpointermove = (event) => pad.hasPointerCapture(event.pointerId) && turn(event);
    pad.ondblclick = () => { this.#reset(x); this.#reset(y); };
    for (const row of [x, y]) this.#learnShow(row.name, polite(pad, (value) => { now[row.name] = value; paint(); }));
    return pad;
  }

  #wireButton(row) {
    const button = element("button", { type: "button", className: "wire", textContent: "+", ariaLabel: t("wire", { name: label(row.name) }), onclick: () => this.#wire(row) });
    this.#wires[row.name] = button;
    return button;
  }

  #reset(row) {
    this.#change({ [row.name]: row.default });
    for (const show of this.#shows[row.name] ?? []) show(row.default);
  }

  #learnShow(name, show) {
    (this.#shows[name] ??= []).push(show);
  }
}
