// What is shown of which image: the study, and the settings that Python and the page share.

import { match } from "./match.js";
import { clamp, fixed, size } from "./numbers.js";

/** @import { Box, DetectionBox, Item, Layer, Match, Model, Outcome, Traits, TruthBox } from "./types.d.ts" */

/** The model, read: its images and findings, which boxes its settings let through, and how they match. */
export class Study {
  /** The matches of each image under the thresholds `at`. @type {Map<number, Match | null>} */
  #matches = new Map();
  #at = { threshold: NaN, iou: NaN };
  #model;

  /** @param {Model} model */
  constructor(model) {
    this.#model = model;
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
    return this.#model.get(name);
  }

  /** @template {keyof Traits} Name @param {Name} name @param {Traits[Name]} value */
  set(name, value) {
    this.#model.set(name, value);
    this.#model.save_changes();
  }

  /** @param {number} index */
  go(index) {
    this.#model.set("selection", null);
    this.set("index", index);
  }

  /** @param {number} id */
  finding(id) {
    return this.findings[id - 1];
  }

  /** May the boxes of this finding be drawn? @param {number} id */
  shows(id) {
    return !this.get("hidden").includes(this.finding(id).name);
  }

  /** @param {Layer} name */
  showsLayer(name) {
    return this.has[name] && this.get("layers").includes(name);
  }

  /** Show a layer that is hidden, hide one that is shown. @param {Layer} name */
  toggleLayer(name) {
    this.set("layers", toggled(this.get("layers"), name));
  }

  /** @param {string} name */
  toggleFinding(name) {
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

  /** @param {number} i */
  #matched(i) {
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

  /** The boxes of this image that may be drawn: detections best first, then truth. @returns {Item[]} */
  items() {
    const { image, index } = this;
    const found = this.#matched(index);
    const threshold = this.get("threshold");
    const byMatch = this.get("colour") === "match";
    /** @type {(i: number, box: Box, outcome: Outcome | null, partner: number, iou: number | null) => Omit<Item, "layer" | "box" | "score">} */
    const common = (i, box, outcome, partner, iou) => {
      const finding = this.finding(box[4]);
      return { i, finding, style: byMatch && outcome ? this.outcomes[outcome] : finding, outcome, partner, iou };
    };
    /** @type {(box: DetectionBox, i: number) => Item} */
    const detection = (box, i) => {
      const partner = found ? found.took[i] : -1;
      const outcome = found && (partner >= 0 ? "hit" : "alarm");
      return {
        layer: "detections",
        box,
        score: box[5],
        ...common(i, box, outcome, partner, found ? found.best[i] : null),
      };
    };
    /** @type {(box: TruthBox, i: number) => Item} */
    const truth = (box, i) => {
      const partner = found ? found.takenBy[i] : -1;
      const outcome = found && (partner >= 0 ? "hit" : "missed");
      const iou = found && partner >= 0 ? found.best[partner] : null;
      return { layer: "truth", box, score: null, ...common(i, box, outcome, partner, iou) };
    };
    const detections = (this.showsLayer("detections") && image.detections) || [];
    const known = (this.showsLayer("truth") && image.truth) || [];
    return [
      ...detections.map(detection).filter(({ box, score }) => Number(score) >= threshold && this.shows(box[4])),
      ...known.map(truth).filter(({ box }) => this.shows(box[4])),
    ];
  }

  /** @param {Item | null} item */
  isSelected(item) {
    const selection = this.get("selection");
    return Boolean(selection && item && selection.layer === item.layer && selection.box === item.i);
  }

  /** @param {Item | null} item */
  select(item) {
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
