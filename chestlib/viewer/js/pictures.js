// Pictures: asked for when shown, decoded to 8-bit grey, the last few kept.

/** @import { Handler, Model, Picture, Size, Unreadable } from "./types.d.ts" */

const CACHED = 32; // decoded pictures kept: at most 1 MB each

/** The pictures of one view: it asks the model for them and tells `arrived` which image has come. */
export class Pictures {
  /** @type {Map<number, Picture | Unreadable>} */ #kept = new Map();
  /** @type {Set<number>} */ #asked = new Set();
  /** @type {number[]} */ #wanted = [];

  constructor(/** @type {Model} */ model, /** @type {(index: number) => void} */ arrived) {
    this.model = model;
    this.arrived = arrived;
    model.on("msg:custom", this.#receive);
    const first = model.get("_first");
    if (!first?.data) return;
    this.#asked.add(first.index);
    this.#receive(first, first.heat ? [first.data, first.heat] : [first.data]);
  }

  /** @type {Handler} */
  #receive = async (message, buffers) => {
    if (message?.kind !== "picture" || this.#kept.has(message.index)) return; // another view may have asked
    const { index, error, width = 0, height = 0, extent } = message;
    const picture = error ? { error } : await decode({ width, height }, buffers[0]);
    if ("grey" in picture) Object.assign(picture, { extent, heat: buffers[1] && (await coloured(buffers[1])) });
    this.#asked.delete(index);
    this.#keep(index, picture);
    this.#ask();
    this.arrived(index);
  };

  /** @type {(index: number, picture: Picture | Unreadable) => void} */
  #keep(index, picture) {
    this.#kept.delete(index);
    this.#kept.set(index, picture);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > CACHED) this.#kept.delete(oldest);
  }

  /** The picture of an image, or what is wrong with it; undefined while it has not come. @param {number} index */
  get(index) {
    const picture = this.#kept.get(index);
    if (picture) this.#keep(index, picture);
    return picture;
  }

  /** Ask for these, most wanted first; a fast run through the images leaves no queue behind. */
  want(/** @type {number[]} */ indices) {
    this.#wanted = indices;
    this.#ask();
  }

  #ask() {
    for (const index of this.#wanted) {
      if (this.#asked.size >= 2) return;
      if (this.#kept.has(index) || this.#asked.has(index)) continue;
      this.#asked.add(index);
      this.model.send({ kind: "picture", index });
    }
  }

  close() {
    this.model.off("msg:custom", this.#receive);
  }
}

/** @type {(original: Size, bytes: BlobPart) => Promise<Picture | Unreadable>} */
async function decode({ width, height }, bytes) {
  try {
    const { columns, rows, data } = await pixels(bytes);
    const grey = new Uint8Array(columns * rows);
    const histogram = new Array(256).fill(0);
    for (let i = 0; i < grey.length; i++) {
      grey[i] = data[4 * i];
      histogram[grey[i]]++;
    }
    return { width, height, columns, rows, grey, histogram };
  } catch (error) {
    return { error: `the picture cannot be decoded (${error instanceof Error ? error.message : error})` };
  }
}

/** An encoded picture, its canvas and its pixels. @param {BlobPart} bytes */
async function pixels(bytes) {
  const bitmap = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none" });
  const [columns, rows] = [bitmap.width, bitmap.height];
  const canvas = new OffscreenCanvas(columns, rows);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext("2d", { willReadFrequently: true })
  );
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const image = context.getImageData(0, 0, columns, rows);
  return { columns, rows, canvas, context, image, data: image.data };
}

/** From cold to hot, read in any light and by colour-blind eyes: five of matplotlib's plasma. */
export const HOT = [
  [13, 8, 135],
  [126, 3, 168],
  [204, 71, 120],
  [248, 149, 64],
  [240, 249, 33],
];

/** A heat map in colour: the hotter, the less of the film is seen through it. @param {BlobPart} bytes */
async function coloured(bytes) {
  const { canvas, context, image, data } = await pixels(bytes);
  for (let i = 0; i < data.length; i += 4) {
    const heat = data[i] / 255;
    const at = Math.min(heat * (HOT.length - 1), HOT.length - 1.001);
    const [low, high] = [HOT[Math.floor(at)], HOT[Math.floor(at) + 1]];
    for (let k = 0; k < 3; k++) data[i + k] = low[k] + (at % 1) * (high[k] - low[k]);
    data[i + 3] = 255 * Math.min(1, 2 * heat);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
