// What the reader has drawn.

/** @import { DetectionBox, Film, Finding, Model, StudyImage } from "./types.d.ts" */
/** @import { Tags } from "./tags.js" */

/** The films by their place: a copy that may be changed at every move of a hand, and is handed to the model by `save`. */
export class Reading {
  /** @type {Map<number, Film>} */ #films = new Map();

  constructor(/** @type {Model} */ model) {
    this.model = model;
    this.load();
  }

  /** Take what the model has. */
  load() {
    const films = structuredClone(this.model.get("_reading"));
    this.#films = new Map(Object.entries(films).map(([i, film]) => [Number(i), film]));
  }

  save() {
    this.model.set("_reading", structuredClone(Object.fromEntries(this.#films)));
    this.model.save_changes();
  }

  /** @param {number} i */
  boxes(i) {
    return this.#films.get(i)?.boxes ?? [];
  }

  /** Is this film committed? @param {number} i */
  done(i) {
    return this.#films.get(i)?.done ?? false;
  }

  /** The films that are committed, in order. */
  get read() {
    return [...this.#films.keys()].filter((i) => this.done(i)).sort((a, b) => a - b);
  }

  /** Its place among the boxes of the film. @type {(i: number, box: DetectionBox) => number} */
  add(i, box) {
    const film = this.#films.get(i) ?? { boxes: [], done: false };
    this.#films.set(i, film);
    film.boxes.push(box);
    this.save();
    return film.boxes.length - 1;
  }

  /** @type {(i: number, box: number) => void} */
  remove(i, box) {
    this.#films.get(i)?.boxes.splice(box, 1);
    this.save();
  }

  /** From here on the boxes are as they are, the surest first. @param {number} i */
  commit(i) {
    const boxes = this.boxes(i).toSorted((a, b) => b[5] - a[5]);
    this.#films.set(i, { boxes, done: true });
    this.save();
  }

  clear() {
    this.#films.clear();
    this.save();
  }

  /**
   * What is committed, as `chestlib evaluate` and `chestlib.metrics.read_predictions` read it.
   * @type {(images: StudyImage[], findings: Finding[], tags: Tags) => string}
   */
  written(images, findings, tags) {
    const films = this.read.map((i) => ({
      file: images[i].name,
      ...(tags.of(i).length ? { tags: tags.of(i) } : {}),
      detections: this.boxes(i).map((box) => ({
        finding: findings[box[4] - 1].name,
        box: box.slice(0, 4),
        score: box[5],
      })),
    }));
    return JSON.stringify(films, null, 1);
  }
}
