// What the stage hears and how it is: sound, beat, MIDI, guards, rates.

import { $, element } from "/shared/elements.js";
import { t } from "./strings.js";

const BARS = ["level", "low", "mid", "high", "flux"];
const LAMP_MS = 120;

let bars = {}, count = 0, beat = -1, lamps = {};

export function build() {
  bars = Object.fromEntries(BARS.map((name) => [name, element("meter", { min: 0, max: 1, value: 0, ariaLabel: t(name) })]));
  $("bars").replaceChildren(...BARS.map((name) => element("label", {}, element("span", { textContent: t(name) }), bars[name])));
}

/** message: of type meters. view: {fps, latency_ms} of this page's own picture. */
export function show(message, view) {
  const { sound, midi } = message;
  for (const name of BARS) bars[name].value = sound[name] ?? 0;
  $("ears").dataset.silent = String(!Object.keys(sound).length);
  if (sound.onset) light("onset");
  if (midi.count !== count) {
    count = midi.count;
    light("midi_lamp");
    $("midi_last").textContent = `${midi.address} ${Math.round(midi.position * 127)}`;
  }
  $("midi_devices").textContent = midi.devices.length ? midi.devices.join(", ") : t("no_midi");
  $("no_sound").hidden = $("ears").dataset.silent !== "true";
  showBeat(message);
  showGuard(message);
  $("show_fps").textContent = t("show_fps", { fps: Math.round(message.fps), ms: message.step_ms.toFixed(0) });
  $("show_fps").title = [message.loop, message.loop_why].filter(Boolean).join(" — ");
  $("view_fps").textContent = view.latency_ms === undefined ? "" : t("view", { ms: Math.round(view.latency_ms) });
  $("pages").textContent = t("pages", { pages: message.pages });
  $("pages").hidden = message.pages < 2;
  $("sound_ms").textContent = message.sound_to_picture_ms ? t("sound_ms", { ms: Math.round(message.sound_to_picture_ms) }) : "";
  $("record").setAttribute("aria-pressed", String(message.recording));
}

function showBeat(message) {
  $("bpm").textContent = message.bpm.toFixed(1);
  const now = Math.floor(message.beat);
  if (now !== beat) {
    beat = now;
    light("beat_lamp");
  }
  for (const [place, lamp] of [...$("beats").children].entries()) lamp.classList.toggle("lit", place === ((now % 4) + 4) % 4);
  $("morphing").hidden = !message.morphing;
}

function showGuard(message) {
  const noise = message.guard_noise > 0.001 ? ` +${message.guard_noise.toFixed(2)}` : "";
  $("guard").textContent = `${t(`guard_${message.guard}`)}${noise}`;
  $("guard").dataset.tone = message.guard === "alive" ? "good" : message.guard === "reviving" ? "wait" : "bad";
  $("guard").title = t("guard_more", { count: message.guard_interventions, deviation: message.deviation.toFixed(3), motion: message.motion.toFixed(3), burnt: Math.round(100 * message.burnt) });
  $("strobe").hidden = !message.strobe_holding && !message.strobe_interventions;
  $("strobe").textContent = t(message.strobe_holding ? "strobe_holding" : "strobe_count", { count: message.strobe_interventions });
  $("strobe").dataset.tone = message.strobe_holding ? "bad" : "good";
}

function light(id) {
  $(id).classList.add("lit");
  clearTimeout(lamps[id]);
  lamps[id] = setTimeout(() => $(id).classList.remove("lit"), LAMP_MS);
}
