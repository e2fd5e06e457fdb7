// The language that a page speaks: chosen once on any of them, else the browser's.

const KEY = "stylizer.language";

export const languages = { en: "English", ja: "日本語" };

let language = kept() ?? (navigator.language.startsWith("ja") ? "ja" : "en");

export const currentLanguage = () => language;

export function chooseLanguage(code) {
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
