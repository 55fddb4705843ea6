// The canvases that lie on the stage, one over the other.

import { h, pen } from "./dom.js";

/** @import { GreyWindow } from "./grey.js" */
/** @import { Picture, Size } from "./types.d.ts" */
/** @import { View } from "./view.js" */

/** A canvas that is drawn anew only when what it shows has changed: at every move of a hand this is asked. */
export class Pane {
  canvas = h("canvas", { "aria-hidden": "true" });
  /** @type {unknown[]} */ #shown = [];

  /**
   * @param {Size} size in pixels of the screen @param {unknown[]} shown all that the picture depends on
   * @param {(context: CanvasRenderingContext2D) => void} draw
   */
  draw({ width, height }, shown, draw) {
    const all = [width, height, ...shown];
    if (all.length === this.#shown.length && all.every((value, i) => value === this.#shown[i])) return;
    this.#shown = all;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = pen(this.canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context);
  }
}

/**
 * The film, and over it its heat map, if it has one, as strongly as `warmth` says, 0 to 1.
 * @type {(context: CanvasRenderingContext2D, picture: Picture, grey: GreyWindow, view: View, ratio: number, warmth?: number) => void}
 */
export function drawFilm(context, picture, grey, view, ratio, warmth = 0) {
  const { width, height, columns, heat } = picture;
  view.transform(context, ratio);
  context.imageSmoothingEnabled = (ratio * view.scale * width) / columns < 6; // beyond that the pixels are of interest
  context.imageSmoothingQuality = "high";
  context.drawImage(grey.canvas, 0, 0, width, height);
  if (!heat || !warmth) return;
  context.imageSmoothingEnabled = true;
  context.globalAlpha = warmth;
  context.drawImage(heat, 0, 0, width, height);
  context.globalAlpha = 1;
}

/** Some of them as one PNG. @param {Pane[]} panes @param {BlobCallback} done */
export function photographed(panes, done) {
  const { width, height } = panes[0].canvas;
  const canvas = h("canvas", { width, height });
  const context = pen(canvas);
  context.fillStyle = "#090c10";
  context.fillRect(0, 0, width, height);
  for (const pane of panes) context.drawImage(pane.canvas, 0, 0);
  canvas.toBlob(done);
}
