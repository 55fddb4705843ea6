// Zoom, pan, flip and turn: where original pixels lie on the stage.

import { clamp } from "./numbers.js";

/** @import { Box, Place, Point, Size } from "./types.d.ts" */

const STEP = 1.25;
const LARGEST = 32;

/** @type {[a: number, b: number, c: number, d: number]} */
const UPRIGHT = [1, 0, 0, 1];

/** Takes original pixels to CSS pixels of the stage, and back; tells `changed` when the image has moved. */
export class View {
  x = 0;
  y = 0;
  scale = 1;
  width = 0; // of the stage
  height = 0;
  /** How film lies in the frame on the stage: (x, y) at (a x + b y, c x + d y), moved to where the frame begins. */
  turn = UPRIGHT;
  /** Is the film shown whole? */ fits = true;
  /** @type {Size | null} */ #image = null;

  constructor(/** @type {() => void} */ changed) {
    this.changed = changed;
  }

  /** Show an image of this size, whole; null: none yet. @param {Size | null} image */
  show(image) {
    this.#image = image;
    this.fit();
  }

  /** The size of the film as it lies on the stage. @param {Size} image @returns {Size} */
  #frame({ width, height }) {
    const [a, b, c, d] = this.turn;
    return { width: Math.abs(a * width + b * height), height: Math.abs(c * width + d * height) };
  }

  /** Where the film's corner (0, 0) lies in its frame. @returns {Point} */
  get #corner() {
    const [a, b, c, d] = this.turn;
    const { width, height } = this.#image ?? { width: 0, height: 0 };
    return { x: -Math.min(0, a * width + b * height), y: -Math.min(0, c * width + d * height) };
  }

  // --- flip and turn ---

  /** Exchange the left and the right of the stage. */
  flip() {
    const [a, b, c, d] = this.turn;
    this.turn = [-a, -b, c, d];
    if (this.#image) this.x = this.width - this.x - this.#frame(this.#image).width * this.scale;
    this.changed();
  }

  /** By 90 degrees, clockwise. */
  rotate() {
    const [a, b, c, d] = this.turn;
    this.turn = [-c, -d, a, b];
    this.fit();
  }

  upright() {
    this.turn = UPRIGHT;
    this.fit();
  }

  /** Is it seen as from behind, and by how many degrees turned after that? */
  get turned() {
    const [a, b, c, d] = this.turn;
    const flipped = a * d - b * c < 0;
    const sign = flipped ? -1 : 1;
    return { flipped, degrees: (Math.round((Math.atan2(sign * c, sign * a) * 180) / Math.PI) + 360) % 360 };
  }

  /** That in words; empty: it lies as it is. */
  get lies() {
    const { flipped, degrees } = this.turned;
    const says = [flipped ? "Flipped: left and right exchanged" : "", degrees ? `Turned ${degrees}°` : ""];
    return says.filter(Boolean).join(". ");
  }

  /** Lie as another view does, for a film of another size: as wide, in the middle of the same place. @param {View} other */
  follow(other) {
    const { width, height, turn } = other;
    Object.assign(this, { width, height, turn });
    if (!this.#image || !other.#image) return this.fit();
    const [own, its] = [this.#frame(this.#image), other.#frame(other.#image)];
    this.scale = (other.scale * its.width) / own.width;
    this.x = other.x;
    this.y = other.y + (its.height * other.scale - own.height * this.scale) / 2;
  }

  resize(/** @type {number} */ width, /** @type {number} */ height) {
    this.width = width;
    this.height = height;
    if (this.fits) this.fit();
  }

  #fitting(/** @type {Size} */ image) {
    const { width, height } = this.#frame(image);
    return Math.min(this.width / width, this.height / height);
  }

  fit() {
    if (this.#image && this.width) {
      this.scale = this.#fitting(this.#image);
      this.fits = true;
      const { width, height } = this.#frame(this.#image);
      this.x = (this.width - width * this.scale) / 2;
      this.y = (this.height - height * this.scale) / 2;
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
    this.fits = false;
    this.pan(0, 0);
  }

  /** Move by CSS pixels; a strip of the image stays in sight. @param {number} dx @param {number} dy */
  pan(dx, dy) {
    if (!this.#image) return;
    this.fits &&= !dx && !dy;
    const { width, height } = this.#frame(this.#image);
    this.x = clamp(this.x + dx, 48 - width * this.scale, this.width - 48);
    this.y = clamp(this.y + dy, 48 - height * this.scale, this.height - 48);
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
    const [p, q] = [this.onStage({ x: x1, y: y1 }), this.onStage({ x: x2, y: y2 })];
    const [left, right] = p.x < q.x ? [p.x, q.x] : [q.x, p.x];
    const [top, bottom] = p.y < q.y ? [p.y, q.y] : [q.y, p.y];
    return { left, top, right, bottom };
  }

  /** Where a place of the original lies on the stage. @param {Point} at @returns {Point} */
  onStage({ x, y }) {
    const [a, b, c, d] = this.turn;
    const corner = this.#corner;
    return {
      x: this.x + this.scale * (a * x + b * y + corner.x),
      y: this.y + this.scale * (c * x + d * y + corner.y),
    };
  }

  /** Draw in original pixels from now on; `ratio`: screen pixels a CSS pixel. @type {(context: CanvasRenderingContext2D, ratio: number) => void} */
  transform(context, ratio) {
    const [a, b, c, d] = this.turn.map((part) => ratio * this.scale * part);
    const { x, y } = this.onStage({ x: 0, y: 0 });
    context.setTransform(a, c, b, d, ratio * x, ratio * y);
  }

  /** Is any of it on the stage, or within a margin around? @param {Place} place @param {number} margin */
  sees({ left, top, right, bottom }, margin) {
    return right >= -margin && bottom >= -margin && left <= this.width + margin && top <= this.height + margin;
  }

  /** The place in the original, in pixels and parts of them, of a point of the stage. @param {Point} at @returns {Point} */
  original(at) {
    const corner = this.#corner;
    const [x, y] = this.back((at.x - this.x) / this.scale - corner.x, (at.y - this.y) / this.scale - corner.y);
    return { x, y };
  }

  /** A direction on the stage as one in the original. @type {(dx: number, dy: number) => [x: number, y: number]} */
  back(dx, dy) {
    const [a, b, c, d] = this.turn;
    return [a * dx + c * dy, b * dx + d * dy];
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
