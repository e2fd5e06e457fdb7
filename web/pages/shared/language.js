// The language that a page speaks: chosen once on any of them, else the browser's.

import { element } from "./elements.js";

const KEY = "stylizer.language";

const languages = { en: "English", ja: "日本語" };

let language = kept() ?? (navigator.language.startsWith("ja") ? "ja" : "en");

export const currentLanguage = () => language;

function chooseLanguage(code) {
  language = code;
  try {
    localStorage.setItem(KEY, code);
  } catch {} // a browser that blocks all cookies keeps nothing: it holds until the page is closed
}

function kept() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** A button for each language, into `place`; `chosen()` is called when one was pressed. */
export function languageButtons(place, chosen) {
  for (const [code, name] of Object.entries(languages)) {
    const onclick = () => { chooseLanguage(code); chosen(); };
    place.append(element("button", { type: "button", value: code, textContent: name, lang: code, onclick }));
  }
}

/** Tells the document which language holds, and marks its button among those in `place`. */
export function paintLanguage(place) {
  document.documentElement.lang = language;
  for (const button of place.children) button.setAttribute("aria-pressed", String(button.value === language));
}

/** strings: {language: {key: sentence}}. Makes `t(key, values)`: the sentence in the language that holds, with {name}
 *  replaced from `values`; a key that is missing shows itself. */
export const translator = (strings) => (key, values = {}) =>
  (strings[language][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
