// The stage: one socket carries the state of the show, one WebRTC line its picture; every hand movement goes out at once.

import { $, element } from "/shared/elements.js";
import { languageButtons, paintLanguage } from "/shared/language.js";
import { Mirror } from "/shared/mirror.js";
import { problem } from "/shared/problems.js";
import { camera as openCamera } from "/shared/sources.js";
import { Link } from "./link.js";
import * as meters from "./meters.js";
import { Panel } from "./panel.js";
import { picture, Slot } from "./slots.js";
import { label, t } from "./strings.js";
import * as wire from "./wire.js";

const SWITCHES = ["freeze", "blackout", "collapse_guard", "strobe_guard"];
const BEATS = [0, 1, 2, 4, 8, 16];
const PREVIEW = { output_size: "256" };
const SAY_MS = 8000, REFUSED_MS = 3000;
const TONES = { live: "good", connecting: "wait", lost: "wait", key: "bad" };

const key = location.hash.slice(1);
let state = "connecting", controls = {}, shelf = { models: [], presets: [] }, wiring = null, keys = [], beats = 4, view = {}, panel = null, saying = 0;
let mirror = null, source = null, opening = false, sending = null, entered = null, recorded, troubles;

/** detail: the worker's own sentence, English, small below. */
const say = (text, bad = false, detail = "") => {
  $("say").replaceChildren(text, ...(detail ? [element("small", { lang: "en", textContent: detail })] : []));
  $("say").hidden = !text;
  $("say").dataset.tone = bad ? "bad" : "good";
  clearTimeout(saying);
  saying = setTimeout(() => { $("say").hidden = true; }, SAY_MS);
};
/** Where the film lies, on the machine of the show: once when it begins, once when it is closed. */
const tellRecording = ({ recording, film }) => {
  if (recording !== (recorded ?? recording)) say(t(recording ? "recording" : "recorded", { film }));
  recorded = recording;
};
/** What the show could not do, in its own words. */
const tellTrouble = ({ text, count }) => {
  if (count !== (troubles ?? count)) say(t("trouble"), true, text);
  troubles = count;
};
const change = (changes) => {
  Object.assign(controls, changes);
  link.set(changes);
  showControls();
};
const slots = { a: new Slot($("slot_a"), "a", key, change, say), b: new Slot($("slot_b"), "b", key, change, say) };

function showControls() {
  panel?.show(controls);
  for (const slot of ["a", "b"]) slots[slot].show(controls[`model_${slot}`] ?? "");
  for (const button of $("switches").children) button.setAttribute("aria-pressed", String(controls[button.value]));
}

function showShelf() {
  for (const slot of Object.values(slots)) slot.showModels(shelf.models);
  $("presets").replaceChildren(...shelf.presets.map((preset) => {
    const tile = element("button", { type: "button", className: "tile", value: preset.name, onclick: () => link.send({ type: "preset", name: preset.name, beats }) });
    if (preset.picture) tile.append(element("img", { src: picture("preset", preset.name, preset.picture), alt: "", width: 160, height: 160 }));
    tile.append(element("span", { textContent: preset.title }));
    return tile;
  }));
}

function build(rows) {
  panel = new Panel(rows, change, wire.open);
  panel.build($("controls"));
  $("crossfade").children[1].replaceChildren(panel.slider("crossfade"));
  showControls();
  if (wiring) panel.showWiring(wiring);
}

let rows = [];
const link = new Link(key, {
  welcome: (message) => {
    [rows, keys] = [message.table, message.keys];
    sending = null; // a show that was started again knows of no camera: told with the next picture
    recorded = troubles = undefined;
    wire.connect((each) => link.send(each), message.sources);
    build(rows);
    paint();
    if (!mirror) look();
  },
  controls: (message) => { controls = { ...message.controls }; showControls(); },
  shelf: (message) => { shelf = message; showShelf(); },
  wiring: (message) => { wiring = message; panel?.showWiring(message); wire.show(message); },
  meters: (message) => { meters.show(message, view); tellRecording(message); tellTrouble(message.trouble); noteCamera(message.camera); },
  error: (message) => say(t(problem(message)), true, message.message),
}, (next) => { state = next; paint(); });

/** The picture, small; with a camera it goes the other way on the same line. */
function look() {
  mirror?.leave();
  const shown = new Mirror(source?.stream ?? null, $("view"), PREVIEW, {
    onState: (next) => {
      if (next === "live") sendCamera();
      if (next === "refused") setTimeout(() => shown === mirror && look(), REFUSED_MS);
    },
    onStats: async (stats) => { view = { latency_ms: latency(stats, await shown.line()) }; },
    onControls: () => {},
  });
  mirror = shown;
  mirror.start();
}

/** From the finished picture to this screen: waiting and encoding, half the round trip, receiving and decoding. */
function latency(stats, line) {
  return stats.latency_ms.p50 === undefined ? undefined : stats.latency_ms.p50 + line.round_trip_ms / 2 + line.receive_ms;
}

/** A camera that is switched off goes with its stream: by now the show may have another page's. */
function sendCamera() {
  const stream = source ? mirror.id : null;
  if (stream && stream !== sending) link.send({ type: "camera", stream });
  sending = stream;
}

/** camera: the stream whose camera is in the show, or null. */
function noteCamera(camera) {
  if (camera === sending) entered = sending;
  else if (source && camera && sending && entered === sending) { // it was this page's until now
    toggleCamera();
    say(t("camera_elsewhere"));
  }
}

async function toggleCamera() {
  if (opening) return; // a second tap would open a second one, which nothing could close
  if (source) {
    source.stop();
    source = null;
  } else {
    opening = true;
    try {
      source = await openCamera();
      source.onEnd(() => source && toggleCamera());
    } catch (error) {
      return say(t(`camera_${error.kind ?? "unknown"}`), true);
    } finally {
      opening = false;
    }
    if (controls.inject === "none") change({ inject: "whole" });
  }
  $("camera").setAttribute("aria-pressed", String(Boolean(source)));
  look();
}

function paint() {
  paintLanguage($("languages"));
  document.body.dataset.state = state;
  $("line").textContent = t(`line_${state}`);
  $("line").dataset.tone = TONES[state];
  if (state === "key") say(t("key_more"), true);
  $("record").textContent = t("record");
  $("output").textContent = t("output");
  for (const id of ["deck", "hands", "ears"]) $(id).ariaLabel = t(id);
  $("keys_button").ariaLabel = t("keys");
  $("tap").querySelector("small").textContent = t("tap");
  $("undo").textContent = t("undo");
  $("camera").textContent = t("camera");
  $("presets_title").textContent = t("presets");
  $("beats_label").textContent = t("beats");
  $("morphing").textContent = t("morphing");
  $("onset_label").textContent = t("onset");
  $("no_sound").textContent = t("no_sound");
  $("morph_beats").ariaLabel = t("beats");
  $("morph_beats").replaceChildren(...BEATS.map((n) => element("button", {
    type: "button", className: "choice", textContent: n || t("cut"), value: n, ariaPressed: String(n === beats), onclick: () => { beats = n; paint(); },
  })));
  $("switches").replaceChildren(...SWITCHES.map((name) => element("button", {
    type: "button", className: `choice ${name}`, value: name, textContent: label(name), ariaPressed: String(Boolean(controls[name])),
    onclick: () => change({ [name]: !controls[name] }),
  })));
  meters.build();
  paintKeys();
}

function paintKeys() {
  const named = { " ": t("space"), "\x1b": "Esc" };
  $("keys_title").textContent = t("keys");
  $("keys_close").textContent = t("close");
  const lines = [["?", t("keys")], ...keys.filter(([, what]) => what !== "quit").map(([each, what, way]) => [named[each] ?? each, `${label(what)}${way ? (way > 0 ? " ＋" : " −") : ""}`])];
  $("key_list").replaceChildren(...lines.map(([each, what]) => element("div", {}, element("dt", {}, element("kbd", { textContent: each })), element("dd", { textContent: what }))));
}

const press = (each) => link.send({ type: "key", key: each });
$("tap").onpointerdown = () => press(" "); // at the touch, not when the finger is lifted
$("tap").onclick = (event) => event.detail === 0 && press(" "); // Enter on a keyboard
$("undo").onclick = () => press("u");
$("record").onclick = () => press("r");
$("camera").onclick = toggleCamera;
$("keys_button").onclick = () => $("keys").showModal();
$("wire").onclose = wire.close;
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=range]), select, textarea") || document.querySelector("dialog[open]")) return;
  const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key; // Caps Lock
  const known = keys.find(([each, what]) => each === pressed && what !== "quit");
  if (pressed === "?") $("keys").showModal();
  else if (known) {
    if (pressed === " " && event.target.matches("button, a")) return; // the space bar presses what has the focus
    event.preventDefault();
    if (!event.repeat || known[2]) press(pressed); // held down, a fader goes on, and a switch does not flicker
  }
});
addEventListener("click", (event) => event.detail && document.activeElement?.matches("button") && document.activeElement.blur()); // so that the space bar taps again
for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault()); // a miss must not leave the page
addEventListener("pageshow", (event) => event.persisted && location.reload());
languageButtons($("languages"), () => {
  paint();
  for (const slot of Object.values(slots)) slot.build();
  if (rows.length) build(rows);
});
paint();
