// Zoom and pan: where original pixels lie on the stage.

import { clamp } from "./numbers.js";

/** @import { Box, Place, Point, Size } from "./types.d.ts" */

const STEP = 1.25;
const LARGEST = 32;

/** Takes original pixels to CSS pixels of the stage, and back; tells `changed` when the image has moved. */
export class View {
  x = 0;
  y = 0;
  scale = 1;
  width = 0; // of the stage
  height = 0;
  #fits = true;
  /** @type {Size | null} */ #image = null;

  constructor(/** @type {() => void} */ changed) {
    this.changed = changed;
  }

  /** Show an image of this size, whole; null: none yet. @param {Size | null} image */
  show(image) {
    this.#image = image;
    this.fit();
  }

  resize(/** @type {number} */ width, /** @type {number} */ height) {
    this.width = width;
    this.height = height;
    if (this.#fits) this.fit();
  }

  #fitting(/** @type {Size} */ image) {
    return Math.min(this.width / image.width, this.height / image.height);
  }

  fit() {
    if (this.#image && this.width) {
      this.scale = this.#fitting(this.#image);
      this.#fits = true;
      this.x = (this.width - this.#image.width * this.scale) / 2;
      this.y = (this.height - this.#image.height * this.scale) / 2;
    }
    this.changed();
  }

  /** One original pixel on one pixel of the screen. */
  actualSize() {
    this.zoom(1 / (window.devicePixelRatio * this.scale));
  }

  zoomIn() {
    this.zoom(STEP);
  }

  zoomOut() {
    this.zoom(1 / STEP);
  }

  /** Zoom so that a point of the stage stays, by default its middle. @param {number} factor */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.#image) return;
    const scale = clamp(this.scale * factor, this.#fitting(this.#image) / 2, LARGEST);
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.#fits = false;
    this.pan(0, 0);
  }

  /** Move by CSS pixels; a strip of the image stays in sight. @param {number} dx @param {number} dy */
  pan(dx, dy) {
    if (!this.#image) return;
    this.#fits &&= !dx && !dy;
    this.x = clamp(this.x + dx, 48 - this.#image.width * this.scale, this.width - 48);
    this.y = clamp(this.y + dy, 48 - this.#image.height * this.scale, this.height - 48);
    this.changed();
  }

  /** Move a box that is out of sight to the middle. @param {Box} box */
  reveal(box) {
    const place = this.place(box);
    if (this.sees(place, 0)) return;
    this.pan((this.width - place.left - place.right) / 2, (this.height - place.top - place.bottom) / 2);
  }

  /** Where a box lies on the stage. @param {Box} box @returns {Place} */
  place([x1, y1, x2, y2]) {
    const { x, y, scale } = this;
    return { left: x + x1 * scale, top: y + y1 * scale, right: x + x2 * scale, bottom: y + y2 * scale };
  }

  /** Is any of it on the stage, or within a margin around? @param {Place} place @param {number} margin */
  sees({ left, top, right, bottom }, margin) {
    return right >= -margin && bottom >= -margin && left <= this.width + margin && top <= this.height + margin;
  }

  /** The place in the original, in pixels and parts of them, of a point of the stage. @param {Point} at @returns {Point} */
  original(at) {
    return { x: (at.x - this.x) / this.scale, y: (at.y - this.y) / this.scale };
  }

  /** Of the original; null without one. */
  get size() {
    return this.#image;
  }

  /** The original pixel at a point of the stage; null beside the image. @param {Point} at */
  pixel(at) {
    const place = this.original(at);
    const [x, y] = [Math.floor(place.x), Math.floor(place.y)];
    const inside = this.#image && x >= 0 && y >= 0 && x < this.#image.width && y < this.#image.height;
    return inside ? { x, y } : null;
  }
}
