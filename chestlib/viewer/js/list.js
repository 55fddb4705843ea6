// The image list: which images the filter lets through, and their rows.

import { h, icon, origin, point, reveal } from "./dom.js";
import { Filters } from "./filters.js";
import { Thumbs } from "./thumbs.js";

/** @import { Study } from "./study.js" */
/** @import { Box, Filter, Outcome } from "./types.d.ts" */
/** @typedef {{ chosen: (index: number) => void, filtered: () => void, scrolled: () => void }} ListListener */

const ROW = 40; // height of a row, CSS pixels

/** The images in order, those that pass a filter by text, finding and outcome; only the rows in sight exist. */
export class ImageList {
  /** The images that pass the filter. @type {number[]} */
  order = [];
  #filters;
  #sifted = ""; // by what `order` was found
  #spacer = h("div.bv-spacer");
  #rows = h("div.bv-rows", { role: "listbox", tabindex: 0, "aria-label": "Images" }, this.#spacer);

  constructor(/** @type {Study} */ study, /** @type {string} */ id, /** @type {ListListener} */ on) {
    this.study = study;
    this.id = id;
    this.on = on;
    this.thumbs = new Thumbs(study.model, () => on.scrolled());
    this.#filters = new Filters(study, () => on.filtered());
    this.#rows.addEventListener("scroll", () => on.scrolled());
    this.#rows.addEventListener("click", (event) => {
      const row = origin(event, "[data-index]");
      if (row) on.chosen(Number(row.dataset.index));
    });
    this.element = h("div.bv-list", { role: "group", "aria-label": "Image list" }, this.#filters.element, this.#rows);
  }

  /** What passes, and in which order. */
  get filter() {
    return this.#filters.now;
  }

  /** As a view has it. @param {Partial<Filter>} wanted */
  restore(wanted) {
    this.#filters.restore(wanted);
  }

  /** Find the images that pass. With a finding chosen, false alarms and missed are those of the finding. */
  sift() {
    const { study } = this;
    const settings = /** @type {const} */ (["threshold", "iou", "hidden", "detector", "against"]).map((name) =>
      study.get(name),
    );
    this.#filters.refresh();
    const tagged = this.filter.tag && study.get("tags");
    const by = JSON.stringify([this.filter, settings, study.reading?.read, tagged]);
    if (by === this.#sifted) return; // asked at every move of a mouse that drags the grey window
    this.#sifted = by;
    this.order = study.images.map((_, i) => i).filter((i) => this.#passes(i));
    if (this.filter.order === "given") return;
    const keys = new Map(this.order.map((i) => [i, this.#key(i)]));
    this.order.sort((a, b) => (keys.get(b) ?? 0) - (keys.get(a) ?? 0)); // stable
  }

  /** Of the finding chosen, if one is, and shown. @param {Box} box */
  #counts = (box) => (!this.filter.finding || box[4] === this.filter.finding) && this.study.shows(box[4]);

  /** By what an image stands before others. @param {number} i */
  #key(i) {
    const { study } = this;
    const { order } = this.filter;
    if (order === "disagree") return this.#disagreement(i);
    if (order === "score")
      return Math.max(
        -1,
        ...study
          .detected(i)
          .filter(this.#counts)
          .map((box) => box[5]),
      );
    return study.count(i, this.#counts)[/** @type {Outcome} */ (order)];
  }

  /** How many true boxes only one of two detectors found. @param {number} i */
  #disagreement(i) {
    const truth = this.study.images[i].truth ?? [];
    const ways = this.study.difference(i) ?? [];
    return ways.filter((way, j) => this.#counts(truth[j]) && (way === "a" || way === "b")).length;
  }

  #passes(/** @type {number} */ i) {
    const { text, finding, outcome, tag } = this.filter;
    const study = this.study;
    const image = study.images[i];
    if (text && !`${image.name}\n${image.patient}`.toLowerCase().includes(text)) return false;
    if (tag && !study.tags.of(i).includes(tag)) return false;
    if (outcome === "unread" || outcome === "read") return study.open(i) === (outcome === "read");
    if (outcome === "disagree") return this.#disagreement(i) > 0;
    if (outcome === "all" && !finding) return true;
    const of = this.#counts;
    if (outcome === "alarm" || outcome === "missed") return study.count(i, of)[outcome] > 0;
    const reported = study.reported(i);
    if (outcome === "normal") return !reported.length;
    return reported.some(of);
  }

  /** The next (+1) or previous (-1) image that passes; undefined at the end. */
  beside(/** @type {number} */ index, /** @type {number} */ by) {
    const at = this.order.indexOf(index);
    if (at >= 0 || this.filter.order !== "given") return this.order[at + by];
    return by > 0 ? this.order.find((i) => i > index) : this.order.findLast((i) => i < index);
  }

  /** The images before and after one, which may be wanted next. @param {number} index */
  neighbours(index) {
    const at = this.order.indexOf(index);
    return at < 0 ? [] : [this.order[at + 1], this.order[at - 1]].filter((i) => i !== undefined);
  }

  // --- the rows ---

  get inSight() {
    return this.#rows.offsetParent !== null;
  }

  search() {
    this.#filters.search();
  }

  /** Is this one of the rows, or around them? @param {Node} node */
  holds(node) {
    return this.#rows.contains(node);
  }

  /** Scroll to the row of the image shown. */
  reveal() {
    const at = this.order.indexOf(this.study.index);
    if (at >= 0) reveal(this.#rows, at * ROW, ROW);
  }

  /** Only the rows in sight exist, so that thousands of images cost nothing. */
  draw() {
    if (!this.inSight) return;
    const [rows, spacer] = [this.#rows, this.#spacer];
    spacer.style.height = `${this.order.length * ROW}px`;
    const from = Math.max(0, Math.floor(rows.scrollTop / ROW) - 2);
    const to = Math.min(this.order.length, from + Math.ceil(rows.clientHeight / ROW) + 5);
    spacer.replaceChildren(...this.order.slice(from, to).map((i, k) => this.#row(i, from + k)));
    this.thumbs.want(this.order.slice(from, to));
    if (!this.order.length) spacer.append(h("div.bv-empty", "No image passes the filter."));
    point(rows, spacer.querySelector("[aria-selected=true]"));
  }

  #row(/** @type {number} */ i, /** @type {number} */ at) {
    const study = this.study;
    const image = study.images[i];
    const reported = study.reported(i);
    const present = [...new Set(reported.map((box) => box[4]))].filter((id) => study.shows(id)).sort((a, b) => a - b);
    const counts = study.count(i, (box) => study.shows(box[4]));
    const dot = (/** @type {number} */ id) => {
      const { colour, name } = study.finding(id);
      return h("i.bv-dot", { style: `--dot: ${colour}`, title: name });
    };
    const tally = (/** @type {"alarm" | "missed"} */ outcome) => {
      const n = counts[outcome];
      return n ? h("span.bv-tally", { title: study.tell(outcome, n) }, icon(outcome), String(n)) : "";
    };
    const tags = study.tags.of(i);
    const known = study.open(i) ? "normal" : "to read";
    const instead = image.truth ? known : study.has.detections ? "" : h("bdi", image.patient);
    return h(
      "div.bv-item",
      {
        role: "option",
        id: `${this.id}-${i}`,
        "data-index": i,
        "aria-selected": String(i === study.index),
        "aria-posinset": at + 1,
        "aria-setsize": this.order.length,
        title: [image.name, image.patient && `patient ${image.patient}`, tags.length && `tags ${tags.join(", ")}`]
          .filter(Boolean)
          .join(", "),
        style: `top: ${at * ROW}px; height: ${ROW}px`,
      },
      this.thumbs.get(i) ?? h("span.bv-thumb"),
      h("bdi", image.name),
      h(
        "span.bv-tags",
        ...present.slice(0, 5).map(dot),
        reported.length ? "" : instead,
        tags.length ? h("bdi.bv-words", tags.join(", ")) : "",
        h("span.bv-tallies", tally("alarm"), tally("missed")),
      ),
    );
  }
}
