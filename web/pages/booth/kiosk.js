// A booth that nobody looks after: no way out, no sleep; its fresh start when something breaks is in anew.js.
//
// The address sets it up: `?auto=camera` or `?auto=clip` makes a kiosk, which starts by itself and never stops;
// `&rest=20` seconds with nobody in view end a visit; `&hands=12` seconds between the changes of the hands-free way.

const asked = new URLSearchParams(location.search);
export const kiosk = asked.has("auto");
export const setting = (name) => (Number(asked.get(name)) > 0 ? Number(asked.get(name)) : undefined);

let lock = null, asking = false, wanted = false;

/** Holds the screen on. The browser lets go when the page is hidden, so it is asked again whenever that ends. */
export async function stayAwake(on) {
  wanted = on;
  if (!on) {
    lock?.release();
    lock = null;
  } else if (!lock && !asking && document.visibilityState === "visible") {
    asking = true;
    const given = await navigator.wakeLock?.request("screen").catch(() => null); // refused on low battery, absent without https
    asking = false;
    given?.addEventListener("release", () => { if (lock === given) lock = null; });
    lock = given;
    if (!wanted) stayAwake(false);
  }
}

export function guard() {
  document.addEventListener("visibilitychange", () => stayAwake(wanted));
  for (const name of ["contextmenu", "dragstart", "selectstart", "gesturestart"]) addEventListener(name, (event) => event.preventDefault());
  if (!kiosk) return;
  document.body.dataset.kiosk = "";
  history.pushState(null, "");
  addEventListener("popstate", () => history.pushState(null, "")); // a swipe back stays here
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || /^(F\d+|Backspace|Browser\w+)$/.test(event.key)) event.preventDefault();
  });
  addEventListener("wheel", (event) => event.ctrlKey && event.preventDefault(), { passive: false });
}
