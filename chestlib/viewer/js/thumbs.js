// Small pictures of the films in sight: from the page's own, or small ones asked of Python.

import { pen } from "./dom.js";

/** @import { Handler, Model } from "./types.d.ts" */

const SMALL = 64; // of the longer side, pixels; shown at half of that
const HELD = 400; // canvases kept: 16 kB each
const REST = 120; // ms without a scroll before any is asked for

/** One a film, drawn when the list rests; tells `arrived` when there are new ones. */
export class Thumbs {
  /** Null: there is none. @type {Map<number, HTMLCanvasElement | null>} */ #held = new Map();
  /** @type {Set<number>} */ #coming = new Set();
  /** @type {number[]} */ #inSight = [];
  #timer = 0;

  constructor(/** @type {Model} */ model, /** @type {() => void} */ arrived) {
    this.model = model;
    this.arrived = arrived;
    model.on("msg:custom", this.#receive);
  }

  /** The canvas of an image, to be moved to where it is shown. @param {number} i */
  get(i) {
    return this.#held.get(i) ?? null;
  }

  /** These are in sight now. @param {number[]} images */
  want(images) {
    this.#inSight = images;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), REST);
  }

  #ask() {
    for (const index of this.#inSight) {
      if (this.#coming.size >= 2) return;
      if (this.#held.has(index) || this.#coming.has(index)) continue;
      this.#coming.add(index);
      this.model.send({ kind: "thumbnail", index });
    }
  }

  /** @type {Handler} */
  #receive = async (message, buffers) => {
    if (message?.kind !== "thumbnail") return;
    const { index } = message;
    this.#coming.delete(index);
    if (this.#held.has(index)) return; // another view asked
    this.#held.set(index, null);
    if (!message.error) this.#held.set(index, await shrunk(buffers[0]));
    for (const old of this.#held.keys()) {
      if (this.#held.size <= HELD) break;
      if (!this.#inSight.includes(old)) this.#held.delete(old);
    }
    this.#ask();
    this.arrived();
  };

  close() {
    clearTimeout(this.#timer);
    this.model.off("msg:custom", this.#receive);
  }
}

/** Decoded and made small beside the main thread. @param {BlobPart} bytes */
async function shrunk(bytes) {
  try {
    const bitmap = await createImageBitmap(new Blob([bytes]), { resizeHeight: SMALL, resizeQuality: "medium" });
    const canvas = document.createElement("canvas");
    canvas.className = "bv-thumb";
    Object.assign(canvas, { width: SMALL, height: SMALL });
    const scale = Math.min(1, SMALL / bitmap.width);
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    pen(canvas).drawImage(bitmap, (SMALL - width) / 2, (SMALL - height) / 2, width, height);
    bitmap.close();
    return canvas;
  } catch {
    return null; // the stage says what is wrong with it
  }
}
