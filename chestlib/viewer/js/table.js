// The table of the boxes of one image.

import { h, icon, origin, point, reveal, swatch } from "./dom.js";
import { same } from "./items.js";
import { fixed, size } from "./numbers.js";

/** @import { Study } from "./study.js" */
/** @import { BoxListener, Item } from "./types.d.ts" */

const ROWS = 300; // made at every change of a setting

/** One row a box; tells which is under the pointer, and which is clicked. */
export class BoxTable {
  element = h("div.bv-table", { role: "grid", tabindex: 0, "aria-label": "Boxes of this image" });
  /** @type {Item[]} */ #items = [];
  /** @type {Item | null} */ #hovered = null;

  constructor(/** @type {Study} */ study, /** @type {string} */ id, /** @type {BoxListener} */ on) {
    this.study = study;
    this.id = id;
    const under = (/** @type {Event} */ event) => {
      const row = origin(event, "[data-box]");
      return row && (this.#items[Number(row.dataset.box)] ?? null);
    };
    this.element.addEventListener("click", (event) => {
      const item = under(event);
      if (item) on.selected(study.isSelected(item) ? null : item);
    });
    this.element.addEventListener("pointerover", (event) => on.hovered(under(event)));
    this.element.addEventListener("pointerleave", () => on.hovered(null));
  }

  refresh(/** @type {Item[]} */ items) {
    const table = this.element;
    this.#items = items;
    table.replaceChildren(...items.slice(0, ROWS).map((item, i) => this.#row(item, i)));
    const more = items.length - ROWS;
    if (more > 0) table.append(h("div.bv-empty", `and ${more} more: raise the score, or hide findings`));
    if (!items.length) table.append(h("div.bv-empty", this.#emptyText()));
    this.#mark();
    /** @type {HTMLElement | null} */
    const selected = table.querySelector("[aria-selected=true]");
    if (selected) reveal(table, selected.offsetTop - table.offsetTop, selected.offsetHeight);
    point(table, selected);
  }

  /** Show which box is under the pointer. @param {Item | null} item */
  hover(item) {
    this.#hovered = item;
    this.#mark();
  }

  #mark() {
    for (const row of this.element.querySelectorAll("[data-box]")) {
      const item = this.#items[Number(row.getAttribute("data-box"))];
      row.setAttribute("aria-selected", String(this.study.isSelected(item)));
      row.classList.toggle("bv-hovered", same(item, this.#hovered));
    }
  }

  #row(/** @type {Item} */ item, /** @type {number} */ i) {
    const { both } = this.study.has;
    const says = item.outcome ? this.study.outcomes[item.outcome].name : "";
    /** @type {(kind: string, content: Node | string) => Node} */
    const cell = (kind, content) => h("span", { role: "gridcell", class: `bv-${kind}` }, content);
    const outcome = { role: "gridcell", "aria-label": says, title: says };
    return h(
      "div.bv-row",
      { role: "row", id: `${this.id}-box-${i}`, "data-box": i, title: this.study.describe(item).join(", ") },
      cell("mark", swatch(item.style, item.layer)),
      cell("text", item.finding.name),
      cell("number", item.score !== null ? fixed(item.score) : both ? "truth" : size(item.box)),
      both ? cell("number", item.iou ? fixed(item.iou) : "–") : "",
      both ? h("span.bv-mark", outcome, item.outcome ? icon(item.outcome) : "") : "",
    );
  }

  #emptyText() {
    const { study } = this;
    const { truth } = study.image;
    const detections = study.marks(study.index);
    if (!study.open(study.index)) return "Draw a box around each finding, or commit the film as normal.";
    if (truth && !truth.length && !detections?.length) return "A normal image: no boxes.";
    return truth?.length || detections?.length ? "No box passes the settings above." : "No boxes.";
  }
}
