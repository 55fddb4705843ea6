// What is shown of which image: the study, and the settings that Python and the page share.

import { marked } from "./froc.js";
import { described, drawable } from "./items.js";
import { match } from "./match.js";
import { clamp } from "./numbers.js";
import { Reading } from "./reading.js";
import { Tags } from "./tags.js";

/** @import { Box, DetectionBox, Difference, Finding, Item, Layer, Marked, Match, Model, Outcome, Traits } from "./types.d.ts" */
/** @typedef {"yours" | number} Source Whose marks: the reader's, or a detector's by its place */

/** @type {Finding} */
const UNNAMED = { name: "no finding yet", colour: "#ffffff", line: "solid" };

const FOLLOWING = "threshold iou hidden selection colour layers detector against tags heat_opacity";
/** Traits of which the controls and the boxes are drawn anew. */
export const FOLLOWED = /** @type {(keyof Traits)[]} */ (FOLLOWING.split(" "));

/** The model, read: its images and findings, which boxes its settings let through, and how they match. */
export class Study {
  /** The matches under the thresholds `at`, by whose marks and image. @type {Map<string, Match | null>} */
  #matches = new Map();
  #at = "";

  constructor(/** @type {Model} */ model) {
    this.model = model;
    const { images, findings, outcomes, differences, detectors, note, heat } = model.get("_study");
    this.images = images;
    this.findings = findings;
    this.outcomes = outcomes;
    this.differences = differences;
    this.detectors = detectors;
    this.note = note;
    this.heat = heat;
    this.tags = new Tags(model, images);
    /** Is a view kept as a link? Live it is a line of Python. */
    this.linked = model.get("_place") !== undefined;
    this.reading = model.get("read") ? new Reading(model) : null;
    const yours = this.reading !== null;
    const truth = images.some((image) => image.truth);
    const detections = images.some((image) => image.detections || image.others?.some(Boolean));
    this.has = { truth, detections, yours, boxes: truth || detections, both: truth && (detections || yours) };
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
    return this.findings[id - 1] ?? UNNAMED;
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

  // --- whose marks ---

  /** May truth and detections of image i be seen? @param {number} i */
  open(i) {
    return this.reading === null || this.reading.done(i);
  }

  /** The detector shown, by its place. */
  get detector() {
    return Math.max(0, this.detectors.indexOf(this.get("detector")));
  }

  /** Show a detector; the one that it takes the place of is compared with it. Did it change? @param {string} name */
  showDetector(name) {
    if (name === this.get("detector")) return false;
    this.model.set("against", this.get("detector"));
    this.model.set("selection", null);
    this.set("detector", name);
    return true;
  }

  /** A and B, the two that are compared, in the order in which they were given; null with fewer. */
  get pair() {
    const other = this.detectors.indexOf(this.get("against"));
    return other < 0 || other === this.detector ? null : [this.detector, other].sort((a, b) => a - b);
  }

  /** Whose marks the truth is matched with, and counted. @returns {Source} */
  get main() {
    return this.reading ? "yours" : this.detector;
  }

  /** The marks on image i, best first. @type {(i: number, source?: Source) => DetectionBox[] | null} */
  marks(i, source = this.detector) {
    if (source === "yours") return this.reading?.boxes(i) ?? null;
    return source ? (this.images[i].others?.[source - 1] ?? null) : this.images[i].detections;
  }

  /** The score that a mark must reach. @param {Source} source */
  least(source) {
    return source === "yours" ? 0 : this.get("threshold");
  }

  /** The detections of image i that reach the score threshold. @param {number} i */
  detected(i) {
    const threshold = this.get("threshold");
    return (this.marks(i) ?? []).filter((box) => box[5] >= threshold);
  }

  /** What an image is taken to show: its truth where it is known and may be. @param {number} i @returns {Box[]} */
  reported(i) {
    if (!this.open(i)) return this.marks(i, "yours") ?? [];
    return this.images[i].truth ?? this.detected(i);
  }

  /** Did somebody look for the finding of this box on image i? @type {(i: number, box: Box) => boolean} */
  judges(i, box) {
    return this.images[i].looked?.includes(box[4]) ?? true;
  }

  /** All marks of somebody on the films that were read, whatever their score. @type {(source: Source) => Marked[]} */
  marked(source) {
    const films = this.reading?.read ?? [];
    return films.map((i) => {
      const judged = (this.marks(i, source) ?? []).filter((box) => this.judges(i, box));
      return marked(this.images[i].truth ?? [], judged, this.get("iou"));
    });
  }

  /** @type {(i: number, source?: Source) => Match | null} */
  matched(i, source = this.main) {
    const truth = this.images[i].truth;
    const found = this.marks(i, source);
    if (!truth || !found || !this.open(i)) return null;
    const at = `${this.get("threshold")} ${this.get("iou")}`;
    if (at !== this.#at) this.#matches.clear();
    this.#at = at;
    const key = `${source} ${i}`;
    const known = this.#matches.get(key) ?? match(truth, found, this.least(source), this.get("iou"));
    this.#matches.set(key, known);
    return known;
  }

  /** The reading was changed from outside, or begins anew. */
  forget() {
    this.reading?.load();
    this.#matches.clear();
  }

  /** Are boxes coloured by their match, and is there one in this image? */
  get coloursMatches() {
    return this.get("colour") === "match" && this.matched(this.index) !== null;
  }

  /**
   * How many hits, false alarms and missed among the boxes of image i that `of` takes.
   * @type {(i: number, of: (box: Box) => boolean, source?: Source) => Record<Outcome, number>}
   */
  count(i, of, source = this.main) {
    const found = this.matched(i, source);
    const marks = this.marks(i, source);
    const { truth } = this.images[i];
    if (!found || !truth || !marks) return { hit: 0, alarm: 0, missed: 0 };
    const least = this.least(source);
    const took = found.took.filter((_, j) => marks[j][5] >= least && this.judges(i, marks[j]) && of(marks[j]));
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

  /** Which of A and B found each true box of image i; null where one of them, or the truth, is not known. @param {number} i */
  difference(i) {
    const [a, b] = (this.pair ?? []).map((source) => this.matched(i, source)?.takenBy);
    if (!a || !b) return null;
    return a.map(
      (by, j) => /** @type {Difference} */ (by < 0 ? (b[j] < 0 ? "neither" : "b") : b[j] < 0 ? "a" : "both"),
    );
  }

  // --- the boxes of this image ---

  /** Those that may be drawn. */
  items() {
    return drawable(this);
  }

  /** A box in words. @param {Item} item */
  describe(item) {
    return described(item, this.outcomes);
  }

  isSelected(/** @type {Item | null} */ item) {
    const selection = this.get("selection");
    return Boolean(selection && item && selection.layer === item.layer && selection.box === item.i);
  }

  select(/** @type {Item | null} */ item) {
    this.set("selection", item && { layer: item.layer, box: item.i });
  }
}

/** @template T @param {T[]} values @param {T} value */
const toggled = (values, value) =>
  values.includes(value) ? values.filter((other) => other !== value) : [...values, value];
