// The two slots: which model plays, its picture, and a place where a .pict file may be dropped.

import { call } from "/shared/api.js";
import { element } from "/shared/elements.js";
import { problem } from "/shared/problems.js";
import { t } from "./strings.js";

const MAX_BYTES = 64 * 2 ** 20;

/** mark: of the picture; a browser keeps each for an hour. */
export const picture = (kind, name, mark) => `/v1/stage/thumbnails/${kind}/${encodeURIComponent(name)}?${mark}`;

export class Slot {
  #place; #slot; #key; #change; #say; #image; #select; #models = []; #now = "";

  /** slot: a or b. change(changes): as by hand. say(text, bad, detail): a line for the VJ. */
  constructor(place, slot, key, change, say) {
    this.#place = place;
    this.#slot = slot;
    this.#key = key;
    this.#change = change;
    this.#say = say;
    this.build();
    place.addEventListener("dragover", (event) => { event.preventDefault(); place.classList.add("over"); });
    place.addEventListener("dragleave", () => place.classList.remove("over"));
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      place.classList.remove("over");
      this.load(event.dataTransfer.files[0]);
    });
  }

  build() {
    const letter = this.#slot.toUpperCase(), file = element("input", { type: "file", accept: ".pict", hidden: true });
    file.onchange = () => { this.load(file.files[0]); file.value = ""; };
    this.#image = element("img", { alt: "", width: 160, height: 160, hidden: true });
    let pointed = false; // by a mouse or finger: the keys are the show's again once a model is chosen
    this.#select = element("select", {
      ariaLabel: t("model_of", { slot: letter }),
      onpointerdown: () => { pointed = true; },
      onkeydown: () => { pointed = false; },
      onchange: () => {
        this.#change({ [`model_${this.#slot}`]: this.#select.value });
        if (pointed) this.#select.blur();
      },
    });
    const load = element("button", { type: "button", className: "quiet load", textContent: t("load"), onclick: () => file.click() });
    this.#place.replaceChildren(element("div", { className: "thumb" }, this.#image, element("b", { textContent: letter }), element("span", { className: "drop", textContent: t("drop") })), this.#select, load, file);
    this.#paint();
  }

  showModels(models) {
    this.#models = models;
    this.#paint();
  }

  show(name) {
    this.#now = name;
    this.#paint();
  }

  async load(file) {
    if (!file) return;
    if (!file.name.toLowerCase().endsWith(".pict")) return this.#say(t("only_pict", { name: file.name }), true);
    if (file.size > MAX_BYTES) return this.#say(t("too_large", { name: file.name }), true);
    this.#place.classList.add("busy");
    this.#say(t("loading", { name: file.name }));
    try {
      const { model } = await call("POST", `/v1/stage/slots/${this.#slot}?name=${encodeURIComponent(file.name)}`, { body: file, token: this.#key });
      this.#say(t("loaded", { name: model, slot: this.#slot.toUpperCase() }));
    } catch (error) {
      this.#say(t(problem(error)), true, error.message);
    } finally {
      this.#place.classList.remove("busy");
    }
  }

  #paint() {
    const options = this.#models.some((m) => m.name === this.#now) || !this.#now ? this.#models : [...this.#models, { name: this.#now, title: this.#now }];
    const names = options.map((m) => m.name).join("\n");
    if (this.#select.dataset.names !== names) {
      this.#select.replaceChildren(...options.map((m) => element("option", { value: m.name, textContent: m.title })));
      this.#select.dataset.names = names;
    }
    this.#select.value = this.#now;
    const mark = options.find((m) => m.name === this.#now)?.picture, source = picture("model", this.#now, mark);
    this.#image.hidden = !mark;
    if (mark && this.#image.getAttribute("src") !== source) this.#image.src = source;
  }
}
