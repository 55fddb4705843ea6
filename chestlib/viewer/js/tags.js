// The reader's words for films.

/** @import { Model, StudyImage } from "./types.d.ts" */

export const LONGEST = 40; // letters of a tag; chestlib/viewer/films.py
const WRITTEN = 1; // version of the export

/** A tag as it is kept. @param {string} text */
export const asTag = (text) => [...text.trim().replace(/\s+/g, " ")].slice(0, LONGEST).join("").trim();

/** Are these tags as they are kept? @param {unknown} words */
export const areTags = (words) =>
  Array.isArray(words) && words.every((word) => typeof word === "string" && word && word === asTag(word));

/** The trait `tags`, file name to words: never changed in place, for Python has it too. */
export class Tags {
  /** @type {Record<string, string[]>?} */ #counted = null;
  /** @type {Map<string, number>} */ #counts = new Map();

  constructor(/** @type {Model} */ model, /** @type {StudyImage[]} */ images) {
    this.model = model;
    this.images = images;
  }

  get #tags() {
    return this.model.get("tags") ?? {};
  }

  /** @param {number} i @returns {string[]} */
  of(i) {
    const { name } = this.images[i];
    return Object.hasOwn(this.#tags, name) ? this.#tags[name] : [];
  }

  /** Every tag of the films shown, in alphabetical order, and on how many it is. */
  get counts() {
    const tags = this.#tags;
    if (tags === this.#counted) return this.#counts;
    this.#counted = tags;
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const i of this.images.keys()) for (const tag of this.of(i)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
    this.#counts = new Map([...counts].sort(([a], [b]) => a.localeCompare(b)));
    return this.#counts;
  }

  /** Tag image i, or take the tag from it: an empty list stays, which says so to what a browser keeps. @type {(i: number, tag: string, on: boolean) => void} */
  put(i, tag, on) {
    const others = this.of(i).filter((other) => other !== tag);
    const { name } = this.images[i];
    const tags = new Map(Object.entries(this.#tags)).set(name, on ? [...others, tag] : others);
    this.model.set("tags", Object.fromEntries(tags));
    this.model.save_changes();
  }

  /** As `chestlib.viewer.read_tags` reads it. */
  get written() {
    const tags = Object.fromEntries(Object.entries(this.#tags).filter(([, words]) => words.length));
    return JSON.stringify({ version: WRITTEN, tags }, null, 1);
  }
}
