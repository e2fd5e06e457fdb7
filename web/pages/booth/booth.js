// The booth: asks for the camera, shows the stylized mirror, says in words what is happening, rests when nobody is there.

import { ANSWER_MS, call, Refusal } from "/shared/api.js";
import { $, element } from "/shared/elements.js";
import { currentLanguage, languageButtons, paintLanguage } from "/shared/language.js";
import { Mirror } from "/shared/mirror.js";
import { problem } from "/shared/problems.js";
import { camera, clip } from "/shared/sources.js";
import { shrunk } from "./backdrop.js";
import { crisp } from "./crisp.js";
import { Figure } from "./figure.js";
import { HandsFree } from "./handsfree.js";
import { TakeHome } from "./takehome.js";
import { guard, kiosk, setting, stayAwake } from "./kiosk.js";
import { has, t } from "./strings.js";
import { action, file, widget } from "./widgets.js";

const SHEETS = { style: ["style", "style_strength"], background: ["background", "background_colour", "own"], more: ["medium", "framing", "mirror", "hands"] };
const TONES = { live: "good", connecting: "wait", loading: "wait", asking: "wait", reconnecting: "wait", full: "wait", idle: "idle" };
const REMEDIES = ["denied", "absent", "busy", "insecure", "unknown", "unplugged", "noclip", "refused", "idle"];
const READY_MS = 1500;
const AGAIN_MS = 5000; // a kiosk tries again by itself
const SILENT_MS = 10_000; // and asks for a camera that sends nothing anew
const AWAY_MS = 120_000; // nothing was shown for so long: whoever was there has gone; the worker keeps settings as long
const MAX_SEED = 2 ** 31 - 1;

const video = $("mirror");
const state = { name: "idle", detail: "", code: "", resting: false, sheet: null };
let table = [], styles = [], titles = {}, widgets = [], ladder = [], controls = {}, mirror = null, source = null, lastSource = camera, pictures = {}, again = 0, gone = 0, round = 0; // pictures: the visitor's own, "backdrop" and "reference"

const figure = new Figure($("hint"), { rest, wake, restS: setting("rest") });
const hands = new HandsFree($("count"), { new: newLook, background: () => step("background"), style: () => step("style") });
const takeHome = new TakeHome($("taken"), $("count"), () => mirror);

function show(name, detail = "", code = "") {
  if (name === state.name && detail === state.detail) return;
  if (name === "live") clearTimeout(gone);
  else if (kiosk && state.name === "live") gone = setTimeout(asNew, AWAY_MS);
  Object.assign(state, { name, detail, code });
  clearTimeout(again);
  if (kiosk && REMEDIES.includes(name) && name !== "idle") again = setTimeout(() => begin(lastSource), AGAIN_MS);
  if (kiosk && name === "silent") again = setTimeout(() => begin(lastSource), SILENT_MS);
  figure.watching = name === "live";
  stayAwake(kiosk || name !== "idle");
  paint();
}

/** What played last is not asked for again; a kiosk has one source, which its address names. */
const offersCamera = () => !kiosk && ["idle", "noclip"].includes(state.name);

function paint() {
  const { name, detail, resting } = state;
  paintLanguage($("languages"));
  document.body.dataset.state = name;
  document.body.toggleAttribute("data-rest", resting);
  const idle = name === "idle", live = name === "live", away = idle || resting, remedy = REMEDIES.includes(name) && !resting;
  $("dot").dataset.tone = TONES[name] ?? "bad";
  $("status").textContent = t(name);
  $("chip").hidden = resting || (!live && name !== "reconnecting"); // in every other state the words in the middle say it
  $("words").hidden = live && !resting;
  $("heading").textContent = away ? t("title") : t(name);
  $("more").textContent = away ? t(resting ? "step_in_more" : "invite") : name === "refused" ? t(problem(state)) : has(`${name}_more`) ? t(`${name}_more`) : "";
  $("detail").textContent = name === "refused" && !resting ? detail : "";
  $("detail").hidden = !$("detail").textContent;
  $("place").hidden = name !== "full" || !detail;
  $("place").textContent = detail;
  $("spinner").hidden = resting || (TONES[name] ?? "") !== "wait" || !$("place").hidden;
  $("start").hidden = !remedy;
  $("start").textContent = t(offersCamera() ? "start" : "again");
  $("clip").hidden = !remedy || kiosk;
  $("clip").textContent = t("play_clip");
  $("stop").hidden = !mirror || kiosk;
  $("stop").textContent = t("stop");
  $("dock").hidden = !mirror || resting || !["live", "reconnecting", "silent"].includes(name);
  for (const button of $("dock").children) {
    button.lastElementChild.textContent = t(`${button.value}_button`);
    button.setAttribute("aria-expanded", String(button.value === state.sheet));
    if (!(button.value in SHEETS)) button.removeAttribute("aria-expanded");
    button.disabled = button.value === "home" && !live;
  }
  $("sheet").hidden = $("dock").hidden || !state.sheet;
  for (const w of widgets) w.node.hidden = !SHEETS[state.sheet]?.includes(w.name) || (w.name === "background_colour" && controls.background !== "plain") || (w.name === "own" && controls.background !== "picture");
  if (!live) $("numbers").textContent = "";
  const notes = ladder.filter((rung) => rung.why);
  $("notes").hidden = !notes.length || !mirror;
  const words = (key, otherwise) => (has(key) ? t(key) : otherwise);
  $("notes").querySelector("summary").textContent = t("notes", { parts: notes.map(({ part }) => words(`part_${part}`, part)).join(currentLanguage() === "ja" ? "・" : ", ") });
  $("notes").querySelector("ul").replaceChildren(...notes.map((rung) => noteLine(rung, words(`why_${rung.part}`, ""))));
  $("stage").style.setProperty("--behind", controls.background === "plain" ? controls.background_colour : "");
  figure.paint(live && !resting, controls.mirror);
  hands.paint(live && !resting && !takeHome.busy, takeHome.busy);
  takeHome.paint();
}

function noteLine(rung, words) {
  return element("li", {}, words, element("small", { lang: "en", textContent: `${rung.part}: ${rung.standing}. ${rung.why}` }));
}

function buildSheets() {
  const rows = Object.values(SHEETS).flat().map((name) => table.find((row) => row.name === name)).filter(Boolean);
  widgets = rows.map((row) => ({ name: row.name, ...widget(row, styles, titles[currentLanguage()], change) }));
  const own = widgets.findIndex((w) => w.name === "style") + 1;
  widgets.splice(own, 0, { name: "style", ...action("own_look", "own", () => look(0)) }, { name: "style", ...file("like_picture", "like", (picked) => takePicture("reference", picked)) });
  widgets.push({ name: "own", ...file("own_picture", "own", (picked) => takePicture("backdrop", picked)) });
  widgets.push({ name: "hands", ...action("hands", "hands", () => { hands.on = !hands.on; paint(); }) });
  $("controls").replaceChildren(...widgets.map((w) => w.node));
  showControls(controls);
}

function showControls(now) {
  controls = { ...controls, ...now };
  for (const w of widgets) if (w.name in controls) w.show?.(controls[w.name]);
  paint();
}

/** What the worker would not do. A style that cannot be played is offered no more to this visitor. */
function showRefusal(error, { style = controls.style }) {
  if (style !== controls.style && error.code !== "unavailable") {
    styles = styles.filter((name) => name !== style);
    buildSheets();
  }
  if (!hands.on) takeHome.say("refused", problem(error), error.message);
}

function change(name, value) {
  hands.restart();
  mirror?.set({ [name]: value });
}

/** An invented one, or with 0 one's own: either takes the place of a look from a picture. */
function look(seed) {
  change("seed", seed);
  removePicture("reference");
}

function newLook() {
  look(1 + Math.floor(Math.random() * MAX_SEED));
}

/** The next of a control's choices: what hands-free does. */
function step(name) {
  const choices = name === "style" ? styles : (table.find((row) => row.name === name)?.choices ?? []);
  if (choices.length > 1) change(name, choices[(choices.indexOf(controls[name]) + 1) % choices.length]);
}

async function takePicture(kind, picked) {
  const visit = pictures, line = mirror, before = visit[kind]; // who leaves meanwhile takes the picture along
  let small;
  try {
    small = await shrunk(picked);
    visit[kind] = small;
    await bring(line, kind, small);
    if (pictures[kind] !== small) return giveUp(line, kind);
    if (kind === "backdrop") change("background", "picture");
  } catch (error) {
    if (visit[kind] === small) {
      if (before) visit[kind] = before;
      else delete visit[kind];
    }
    if (visit === pictures) takeHome.say(kind === "backdrop" ? "own_picture" : "like_picture", error instanceof Refusal ? problem(error) : "own_picture_refused", error.message);
  }
}

/** Ends when the worker has it, or when it is wanted there no more. Throws Refusal. */
async function bring(line, kind, picture) {
  while (line && line === mirror && pictures[kind] === picture) {
    try {
      return await line.ask("PUT", kind, picture);
    } catch (error) {
      if (error.status === 404) return; // the place is lost: the next one gets it
      if (error instanceof Refusal) throw error;
      await new Promise((next) => setTimeout(next, READY_MS));
    }
  }
}

function removePicture(kind) {
  const there = pictures[kind];
  delete pictures[kind];
  if (there) giveUp(mirror, kind);
}

/** The worker's copy: asked for until it answers, or has none because the line is another. */
async function giveUp(line, kind) {
  while (line && line === mirror && !pictures[kind]) {
    try {
      return await line.ask("DELETE", kind);
    } catch (error) {
      if (error instanceof Refusal && error.status < 500) return;
      await new Promise((next) => setTimeout(next, READY_MS));
    }
  }
}

/** After a lost line the worker has none of them. */
function bringPictures(line) {
  for (const [kind, picture] of Object.entries(pictures)) bring(line, kind, picture).catch(() => { if (pictures[kind] === picture) delete pictures[kind]; });
}

function showStats(stats) {
  if (state.name !== "live") return;
  const parts = [t("fps", { fps: Math.round(stats.fps) })];
  if (stats.latency_ms.p50 !== undefined) parts.push(t("latency", { ms: Math.round(stats.latency_ms.p50) }));
  $("numbers").textContent = parts.join(" · ");
}

const ask = (path) => call("GET", path, { withinMs: ANSWER_MS });

/** Waits until the worker is warm, then knows its table, styles and ladder. */
async function worker() {
  for (;;) {
    try {
      const [ready, rows] = await Promise.all([ask("/ready"), ask("/v1/controls"), lookForStyles()]);
      [ladder, table] = [ready.ladder, rows];
      return buildSheets();
    } catch {
      show("loading");
      await new Promise((next) => setTimeout(next, READY_MS));
    }
  }
}

/** Those that were brought in since the last visitor, too. */
async function lookForStyles() {
  ({ styles, titles } = await ask("/v1/styles"));
}

async function begin(open) {
  end();
  const mine = round; // a second tap, or a camera plugged in meanwhile, begins anew
  if (open !== lastSource) delete controls.mirror; // a camera is mirrored, the clip is not
  lastSource = open;
  await worker();
  if (mine !== round) return;
  show("asking");
  let opened;
  try {
    opened = await open();
  } catch (error) {
    return mine === round && show(error.kind ?? "unknown");
  }
  if (mine !== round) return opened.stop();
  source = opened;
  source.onEnd(() => { end(); show("unplugged"); });
  const wanted = { ...controls, mirror: controls.mirror ?? open === camera };
  mirror = new Mirror(source.stream, video, wanted, { onState: show, onStats: showStats, onControls: showControls, onFigure: (outline) => { figure.shape = opened.shape(); figure.see(outline); }, onPlace: bringPictures, onRefusal: showRefusal });
  mirror.start();
  paint();
}

function end() {
  round++;
  mirror?.leave();
  source?.stop();
  mirror = source = null;
  video.srcObject = null;
  state.resting = false;
  figure.forget();
  takeHome.giveUp();
}

/** Everything as the next visitor should find it. */
function asNew() {
  const fresh = Object.fromEntries(table.filter((row) => row.name in controls).map((row) => [row.name, row.default]));
  fresh.mirror = lastSource === camera;
  if ("style" in fresh && !styles.includes(fresh.style)) fresh.style = styles[0];
  Object.keys(pictures).forEach(removePicture);
  pictures = {};
  state.sheet = null;
  hands.on = hands.wanted;
  takeHome.close();
  lookForStyles().then(buildSheets, () => {});
  if (mirror) mirror.set(fresh);
  else showControls(fresh);
}

/** Nobody is there any more. A kiosk goes on watching. */
function rest() {
  asNew();
  if (kiosk) {
    state.resting = true;
    return paint();
  }
  end();
  controls = {};
  show("idle");
}

function wake() {
  state.resting = false;
  paint();
}

function openSheet(name) {
  state.sheet = state.sheet === name ? null : name;
  paint();
}

$("start").onclick = () => begin(offersCamera() ? camera : lastSource);
$("clip").onclick = () => begin(clip);
$("stop").onclick = () => { end(); pictures = {}; show("idle"); }; // who starts next may be somebody else
$("dock").onclick = ({ target }) => {
  const value = target.closest("button")?.value;
  if (value in SHEETS) openSheet(value);
  else if (value === "new") newLook();
  else if (value === "home") { openSheet(null); hands.restart(); takeHome.start().finally(paint); paint(); }
};
for (const shown of [video, $("crisp")]) shown.onclick = () => openSheet(null);
languageButtons($("languages"), buildSheets);
$("attract").onerror = () => { $("attract").hidden = true; }; // a build without the clip
if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  $("attract").autoplay = false;
  $("attract").pause();
}
navigator.mediaDevices?.addEventListener("devicechange", () => ["absent", "unplugged"].includes(state.name) && begin(lastSource));
addEventListener("pageshow", (event) => event.persisted && location.reload());
crisp(video, $("crisp"));
guard();
paint();
worker().then(() => {
  if (state.name === "loading") show("idle");
  paint();
  if (kiosk) begin(new URLSearchParams(location.search).get("auto") === "clip" ? clip : camera);
});
