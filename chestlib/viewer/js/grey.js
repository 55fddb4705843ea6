// The grey window: which grey levels of a picture are black, and which white.

import { pen } from "./dom.js";
import { clamp } from "./numbers.js";

/** @import { Levels, Picture } from "./types.d.ts" */

const FULL = { level: 0.5, width: 1 };
/**
 * By name, from a picture's histogram: lung and mediastinum after the mean of such patches in NIH ChestX-ray14
 * (.37 and .76).
 * @type {[name: string, make: (histogram: number[]) => Levels][]}
 */
export const PRESETS = [
  ["Full", () => FULL],
  ["Auto", (histogram) => spread(histogram)],
  ["Lung", () => ({ level: 0.37, width: 0.6 })],
  ["Mediastinum", () => ({ level: 0.76, width: 0.42 })],
  ["Bone", () => ({ level: 0.85, width: 0.3 })],
];

/** The window from the 1st to the 99th percentile. @type {(histogram: number[]) => Levels} */
function spread(histogram) {
  const total = histogram.reduce((sum, n) => sum + n, 0);
  const at = (/** @type {number} */ share) => {
    let seen = 0;
    return (
      histogram.findIndex((n) => {
        seen += n;
        return seen >= share * total;
      }) / 255
    );
  };
  const [low, high] = [at(0.01), at(0.99)];
  return { level: (low + high) / 2, width: Math.max(high - low, 0.02) };
}

/** The window, and the picture painted through it onto `canvas`; tells `changed` when it must be painted anew. */
export class GreyWindow {
  level = FULL.level;
  width = FULL.width;
  inverted = false;
  canvas = document.createElement("canvas");
  /** How often the canvas was painted. */ painted = 0;
  /** @type {Picture | null} */ #picture = null;
  /** @type {ImageData | null} */ #pixels = null;

  constructor(/** @type {() => void} */ changed) {
    this.changed = changed;
  }

  /** How many pixels of the picture have each grey level. */
  get histogram() {
    return this.#picture?.histogram;
  }

  show(/** @type {Picture | null} */ picture) {
    this.#picture = picture;
    this.changed();
  }

  set(/** @type {Partial<Levels>} */ { level = this.level, width = this.width }) {
    this.level = clamp(level, 0, 1);
    this.width = clamp(width, 0.02, 1);
    this.changed();
  }

  invert() {
    this.inverted = !this.inverted;
    this.changed();
  }

  reset() {
    this.inverted = false;
    this.set(FULL);
  }

  /** On a change of the window or the picture, not on zoom. */
  paint() {
    if (!this.#picture) return;
    const { columns, rows, grey } = this.#picture;
    const { level, width, inverted, canvas } = this;
    const table = Uint32Array.from({ length: 256 }, (_, value) => {
      const shown = Math.round(255 * clamp((value / 255 - level) / width + 0.5, 0, 1));
      return 0xff000000 | (0x10101 * (inverted ? 255 - shown : shown));
    });
    if (this.#pixels?.width !== columns || this.#pixels.height !== rows) {
      Object.assign(canvas, { width: columns, height: rows });
      this.#pixels = new ImageData(columns, rows);
    }
    const out = new Uint32Array(this.#pixels.data.buffer);
    for (let i = 0; i < out.length; i++) out[i] = table[grey[i]];
    pen(canvas).putImageData(this.#pixels, 0, 0);
    this.painted += 1;
  }
}
