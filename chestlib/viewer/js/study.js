// What is shown of which image: the study, and the settings that Python and the page share.

import { match } from "./match.js";
import { clamp, fixed, size } from "./numbers.js";

/** @import { Box, Item, Layer, Match, Model, Outcome, Traits } from "./types.d.ts" */

/** The model, read: its images and findings, which boxes its settings let through, and how they match. */
export class Study {
  /** The matches of each image under the thresholds `at`. @type {Map<number, Match | null>} */
  #matches = new Map();
  #at = { threshold: NaN, iou: NaN };

  constructor(/** @type {Model} */ model) {
    this.model = model;
    const { images, findings, outcomes, note } = model.get("_study");
    this.images = images;
    this.findings = findings;
    this.outcomes = outcomes;
    this.note = note;
    const truth = images.some((image) => image.truth);
    const detections = images.some((image) => image.detections);
    this.has = { truth, detections, boxes: truth || detections, both: truth && detections };
  }

  get index() {
    return clamp(this.get("index"), 0, this.images.length - 1);
  }

  get image() {
    return this.images[this.index];
  }

  /** @template {keyof Traits} Name @param {Name} name */
  get(name) {
    return this.model.get(name);
  }

  /** @template {keyof Traits} Name @param {Name} name @param {Traits[Name]} value */
  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  go(/** @type {number} */ index) {
    this.model.set("selection", null);
    this.set("index", index);
  }

  finding(/** @type {number} */ id) {
    return this.findings[id - 1];
  }

  /** May the boxes of this finding be drawn? @param {number} id */
  shows(id) {
    return !this.get("hidden").includes(this.finding(id).name);
  }

  showsLayer(/** @type {Layer} */ name) {
    return this.has[name] && this.get("layers").includes(name);
  }

  /** Show a layer that is hidden, hide one that is shown. @param {Layer} name */
  toggleLayer(name) {
    this.set("layers", toggled(this.get("layers"), name));
  }

  toggleFinding(/** @type {string} */ name) {
    this.set("hidden", toggled(this.get("hidden"), name));
  }

  /** The detections of image i that reach the score threshold. @param {number} i */
  detected(i) {
    const threshold = this.get("threshold");
    return (this.images[i].detections ?? []).filter((box) => box[5] >= threshold);
  }

  /** What an image is taken to show: its truth where it is known. @param {number} i @returns {Box[]} */
  reported(i) {
    return this.images[i].truth ?? this.detected(i);
  }

  #matched(/** @type {number} */ i) {
    const [threshold, iou] = [this.get("threshold"), this.get("iou")];
    if (threshold !== this.#at.threshold || iou !== this.#at.iou) {
      this.#at = { threshold, iou };
      this.#matches.clear();
    }
    let found = this.#matches.get(i);
    if (found === undefined) {
      const { truth, detections } = this.images[i];
      found = truth && detections && match(truth, detections, threshold, iou);
      this.#matches.set(i, found);
    }
    return found;
  }

  /** Are boxes coloured by their match, and is there one in this image? */
  get coloursMatches() {
    return this.get("colour") === "match" && this.#matched(this.index) !== null;
  }

  /**
   * How many hits, false alarms and missed among the boxes of image i that `of` takes.
   * @type {(i: number, of: (box: Box) => boolean) => Record<Outcome, number>}
   */
  count(i, of) {
    const found = this.#matched(i);
    const { truth, detections } = this.images[i];
    if (!found || !truth || !detections) return { hit: 0, alarm: 0, missed: 0 };
    const threshold = this.get("threshold");
    const took = found.took.filter((_, j) => detections[j][5] >= threshold && of(detections[j]));
    return {
      hit: took.filter((by) => by >= 0).length,
      alarm: took.filter((by) => by < 0).length,
      missed: truth.filter((box, j) => of(box) && found.takenBy[j] < 0).length,
    };
  }

  /** A number of hits, false alarms or missed, in words. @type {(outcome: Outcome, n: number) => string} */
  tell(outcome, n) {
    const { name, many } = this.outcomes[outcome];
    return `${n} ${n === 1 ? name : many}`;
  }

  /** The boxes of this image that may be drawn: detections best first, then truth. */
  items() {
    const { image, index } = this;
    const found = this.#matched(index);
    const threshold = this.get("threshold");
    const byMatch = this.get("colour") === "match";
    /** @type {Item[]} */
    const items = [];
    /** @type {(layer: Layer, i: number, box: Box, partner: number | undefined, iou: number | null) => void} */
    const add = (layer, i, box, partner = -1, iou) => {
      const finding = this.finding(box[4]);
      const outcome = found && (partner >= 0 ? "hit" : layer === "truth" ? "missed" : "alarm");
      const style = byMatch && outcome ? this.outcomes[outcome] : finding;
      const item = { layer, i, box, score: box[5] ?? null, finding, style, outcome, partner, iou };
      if (this.shows(box[4])) items.push(/** @type {Item} */ (item));
    };
    if (this.showsLayer("detections"))
      image.detections?.forEach((box, i) => {
        if (box[5] >= threshold) add("detections", i, box, found?.took[i], found ? found.best[i] : null);
      });
    if (this.showsLayer("truth"))
      image.truth?.forEach((box, i) => {
        const by = found?.takenBy[i] ?? -1;
        add("truth", i, box, by, found && by >= 0 ? found.best[by] : null);
      });
    return items;
  }

  isSelected(/** @type {Item | null} */ item) {
    const selection = this.get("selection");
    return Boolean(selection && item && selection.layer === item.layer && selection.box === item.i);
  }

  select(/** @type {Item | null} */ item) {
    this.set("selection", item && { layer: item.layer, box: item.i });
  }

  /** A box in words: finding and score, outcome, size. @param {Item} item */
  describe({ layer, finding, box, score, iou, outcome, partner }) {
    const lines = [`${finding.name}, ${layer === "truth" ? "truth" : `score ${fixed(score)}`}`];
    if (outcome) {
      const overlapping = iou === null ? "" : `, IoU ${fixed(iou)}`;
      const found = layer === "truth" && partner >= 0 ? "found" : this.outcomes[outcome].name;
      lines.push(`${found[0].toUpperCase()}${found.slice(1)}${overlapping}`);
    }
    lines.push(`${size(box)} px`);
    return lines;
  }
}

/** @template T @param {T[]} values @param {T} value */
const toggled = (values, value) =>
  values.includes(value) ? values.filter((other) => other !== value) : [...values, value];

/** Are these the same box, though the list was made anew? @type {(a: Item | null, b: Item | null) => boolean} */
export const same = (a, b) => Boolean(a && b && a.layer === b.layer && a.i === b.i);
