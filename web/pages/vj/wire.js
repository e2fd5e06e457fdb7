// The dialog behind each control's small button: which knob turns it, which sound moves it.

import { $, element } from "/shared/elements.js";
import { help } from "./help.js";
import { label, t } from "./strings.js";

let row = null, wiring = { knobs: {}, learning: null, follows: {} }, sources = [], send = () => {};

export function connect(sender, names) {
  send = sender;
  sources = names;
}

export function open(ofRow) {
  row = ofRow;
  paint();
  $("wire").showModal();
}

export function show(message) {
  wiring = message;
  if (row && $("wire").open) paint();
}

function paint() {
  const knobs = wiring.knobs[row.name] ?? [], follow = wiring.follows[row.name], learning = wiring.learning === row.name;
  $("wire_title").textContent = label(row.name);
  $("wire_help").textContent = help(row);
  $("wire_knobs").textContent = knobs.length ? t("knobs", { knobs: knobs.join(", ") }) : t("no_knob");
  $("learn").textContent = t(learning ? "learning" : "learn");
  $("learn").classList.toggle("learning", learning);
  $("learn").onclick = () => send({ type: "learn", control: learning ? null : row.name });
  $("forget").textContent = t("forget");
  $("forget").hidden = !knobs.length;
  $("forget").onclick = () => send({ type: "forget", control: row.name });
  $("follow").hidden = row.kind !== "float";
  if (row.kind === "float") paintFollow(follow);
  $("wire_close").textContent = t("close");
}

function paintFollow(follow) {
  const chosen = follow?.source ?? "", span = row.hi - row.lo, share = follow ? follow.gain / span : 0.5;
  const choose = (source) => send({ type: "follow", control: row.name, source, gain: Number($("gain").value) * span });
  $("follow_title").textContent = t("follow");
  $("follow_sources").replaceChildren(...["", ...sources].map((source) => element("button", {
    type: "button", className: "choice", textContent: source ? t(source) : t("nothing"), ariaPressed: String(source === chosen), onclick: () => choose(source || null),
  })));
  $("gain_label").textContent = t("gain");
  $("gain").hidden = !chosen;
  $("gain_label").hidden = !chosen;
  if (!$("gain").matches(":active")) $("gain").value = share;
  $("gain").style.setProperty("--part", `${(Number($("gain").value) + 1) * 50}%`);
  $("gain").onchange = () => choose(chosen || null);
}

export function close() {
  if (row && wiring.learning === row.name) send({ type: "learn", control: null });
  row = null;
}
