// The controls that say which images the list shows, and in which order.

import { h } from "./dom.js";
import { hint } from "./keys.js";

/** @import { Study } from "./study.js" */
/** @import { Filter } from "./types.d.ts" */
/** @typedef {"finding" | "outcome" | "order" | "tag"} Choice */

/** @type {Filter} */
const EVERYTHING = { text: "", finding: 0, outcome: "all", order: "given", tag: "" };

/** By text, finding, outcome and tag; tells `changed`. */
export class Filters {
  now = EVERYTHING;
  /** @type {Partial<Record<Choice, HTMLSelectElement>>} */ #selects = {};
  /** @type {Map<string, number>?} */ #tagged = null;
  #search = h("input.bv-search", {
    type: "search",
    placeholder: "Search",
    "aria-label": "Search name or patient",
    title: `Search name or patient (${hint("/")})`,
    "aria-keyshortcuts": "/",
    oninput: () => this.#set({ text: this.#search.value.trim().toLowerCase() }),
  });

  constructor(/** @type {Study} */ study, /** @type {() => void} */ changed) {
    this.study = study;
    this.changed = changed;
    const boxes = study.has.boxes ? this.#ofBoxes() : [];
    this.tags = this.#select("Show images with this tag", "tag", []);
    this.element = h("div.bv-filters", this.#search, ...boxes, this.tags);
  }

  /** @type {(label: string, by: Choice, options: (string | number)[][]) => HTMLSelectElement} */
  #select(label, by, options) {
    const onchange = () => this.#set({ [by]: by === "finding" ? Number(element.value) : element.value });
    const choices = options.map(([value, text]) => h("option", { value }, String(text)));
    const element = h("select.bv-select", { "aria-label": label, title: label, onchange }, ...choices);
    this.#selects[by] = element;
    return element;
  }

  #ofBoxes() {
    const { findings, has, detectors } = this.study;
    const outcomes = [["all", "All images"]];
    if (has.yours) outcomes.push(["unread", "To read"], ["read", "Read"]);
    else outcomes.push(["diseased", "With findings"], ["normal", "Normal"]);
    const orders = [["given", "In order"]];
    if (has.detections && !has.yours) orders.push(["score", "Best score first"]);
    if (has.both) orders.push(["missed", "Most missed first"], ["alarm", "Most false alarms first"]);
    if (detectors.length > 1) {
      outcomes.push(["disagree", "Detectors differ"]);
      orders.push(["disagree", "Most disagreement first"]);
    }
    if (has.both) outcomes.push(["alarm", "With false alarms"], ["missed", "With missed"]);
    const names = [[0, "Any finding"], ...findings.map(({ name }, i) => [i + 1, name])];
    return [
      this.#select("Show images with this finding", "finding", names),
      this.#select("Show images of this kind", "outcome", outcomes),
      ...(orders.length > 1 ? [this.#select("Order of the images", "order", orders)] : []),
    ];
  }

  #set(/** @type {Partial<Filter>} */ change) {
    this.now = { ...this.now, ...change };
    this.changed();
  }

  /** As a view has it; what is no choice here is left out. @param {Partial<Filter>} wanted */
  restore(wanted) {
    this.refresh();
    const text = typeof wanted.text === "string" ? wanted.text : "";
    this.now = { ...EVERYTHING, text: text.trim().toLowerCase() };
    this.#search.value = text;
    for (const by of /** @type {Choice[]} */ (Object.keys(this.#selects))) {
      const select = /** @type {HTMLSelectElement} */ (this.#selects[by]);
      const known = [...select.options].some(({ value }) => value === String(wanted[by]));
      if (known) this.now = { ...this.now, [by]: by === "finding" ? Number(wanted[by]) : wanted[by] };
      select.value = String(this.now[by]);
    }
  }

  /** The tags there are to choose from; without any there is no choice. */
  refresh() {
    const { counts } = this.study.tags;
    if (counts === this.#tagged) return;
    this.#tagged = counts;
    if (!counts.has(this.now.tag)) this.now = { ...this.now, tag: "" };
    const choices = [...counts].map(([tag, n]) => h("option", { value: tag }, `${tag} (${n})`));
    this.tags.replaceChildren(h("option", { value: "" }, "Any tag"), ...choices);
    this.tags.value = this.now.tag;
    this.tags.hidden = !counts.size;
  }

  search() {
    this.#search.select();
    this.#search.focus();
  }
}
