// One widget for each kind of control in the worker's table. `change(name, value)` tells what the visitor did.

import { element } from "/shared/elements.js";
import { has, t } from "./strings.js";

const words = (name) => (has(name) ? t(name) : name[0].toUpperCase() + name.slice(1));

function choice(row, choices, titles, change) {
  const buttons = choices.map((value) =>
    element("button", { type: "button", className: "choice", textContent: titles[value] ?? words(value), value, onclick: () => change(row.name, value) }));
  const show = (value) => buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.value === value)));
  return { node: element("div", { className: "choices" }, ...buttons), show };
}

function slider(row, change) {
  const input = element("input", { type: "range", min: row.lo, max: row.hi, step: row.kind === "int" ? 1 : (row.hi - row.lo) / 100, ariaLabel: words(row.name) });
  const show = (value) => {
    if (document.activeElement !== input || !input.matches(":active")) input.value = value;
    input.style.setProperty("--part", `${((input.value - row.lo) / (row.hi - row.lo)) * 100}%`);
  };
  input.oninput = () => { show(input.value); change(row.name, Number(input.value)); };
  const ends = element("div", { className: "ends" }, element("span", { textContent: t("photo_end") }), element("span", { textContent: t("style_end") }));
  return { node: element("div", {}, input, ends), show };
}

function toggle(row, change) {
  const button = element("button", { type: "button", className: "choice", textContent: words(row.name) });
  button.onclick = () => change(row.name, button.getAttribute("aria-pressed") !== "true");
  return { node: button, show: (value) => button.setAttribute("aria-pressed", String(value)) };
}

function colour(row, change) {
  const input = element("input", { type: "color", ariaLabel: words(row.name), oninput: () => change(row.name, input.value) });
  return { node: input, show: (value) => { input.value = value; } };
}

/** row: of /v1/controls. styles: names for the kind `name`, titles: what people call them. Returns {node, show(value)}. */
export function widget(row, styles, titles, change) {
  const make = {
    choice: () => choice(row, row.choices, {}, change), name: () => choice(row, styles, titles, change),
    float: () => slider(row, change), int: () => slider(row, change),
    bool: () => toggle(row, change), colour: () => colour(row, change),
  }[row.kind]();
  const label = element("h2", { textContent: words(row.name) });
  return { node: element("section", { className: `control ${row.name}` }, label, make.node), show: make.show };
}

/** A button that is no control: `words` is the key of its text, `name` its class. */
export function action(words, name, run) {
  const button = element("button", { type: "button", className: "choice", textContent: t(words), onclick: run });
  return { node: element("section", { className: `control ${name}` }, button) };
}

/** A button that asks for a picture's file. */
export function file(words, name, take) {
  const input = element("input", { type: "file", accept: "image/jpeg,image/png,image/webp", onchange: () => { if (input.files[0]) take(input.files[0]); input.value = ""; } });
  const label = element("label", { className: "choice" }, element("span", { textContent: t(words) }), input);
  return { node: element("section", { className: `control ${name}` }, label) };
}
