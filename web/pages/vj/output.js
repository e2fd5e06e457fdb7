// The output: full-screen, no decorations, back by itself after anything. Double click or `f` fills the screen.

import { Mirror } from "/shared/mirror.js";

const RETRY_MS = 3000;
const video = document.getElementById("view");

document.body.dataset.fit = new URLSearchParams(location.search).get("fit") === "cover" ? "cover" : "contain";

function play() {
  const onState = (state) => {
    document.body.dataset.state = state;
    if (state === "refused") setTimeout(() => { mirror.leave(); play(); }, RETRY_MS); // a show that has changed: ask anew
  };
  const mirror = new Mirror(null, video, {}, { onState, onStats: () => {}, onControls: () => {} });
  mirror.start();
}

const fill = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()).catch(() => {});
addEventListener("dblclick", fill);
addEventListener("keydown", (event) => event.key.toLowerCase() === "f" && fill());
addEventListener("pageshow", (event) => event.persisted && location.reload());
const stayAwake = () => document.visibilityState === "visible" && navigator.wakeLock?.request("screen").catch(() => {});
addEventListener("visibilitychange", stayAwake);
stayAwake();
play();
