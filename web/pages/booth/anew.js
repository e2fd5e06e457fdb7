// A kiosk that breaks starts anew by itself, also where one of its scripts did not come: so this one is no module, loads
// first and needs none of them.

if (new URLSearchParams(location.search).has("auto")) {
  const RELOAD_MS = 3000, ANSWER_MS = 6000;
  const again = () => setTimeout(look, RELOAD_MS); // no page comes from a worker that is away, or the proxy's own
  const look = () => fetch("/health", { signal: AbortSignal.timeout(ANSWER_MS) }).then(({ ok }) => (ok ? location.reload() : again()), again);
  let broken = false;
  const begin = ({ type, target }) => {
    if (broken || (type === "error" && target !== window && target.tagName !== "SCRIPT")) return; // the clip may be absent
    broken = true;
    again();
  };
  addEventListener("error", begin, true); // a script's own does not bubble
  addEventListener("unhandledrejection", begin);
}
