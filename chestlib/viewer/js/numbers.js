// Numbers, and how they read.

/** @import { Box } from "./types.d.ts" */

/** The value, or the nearer end of the range. @type {(value: number, low: number, high: number) => number} */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** A number with two decimals. @type {(value: number) => string} */
export const fixed = (value) => value.toFixed(2);

/** Width and height of a box. @type {(box: Box) => string} */
export const size = ([x1, y1, x2, y2]) => `${Math.round(x2 - x1)} × ${Math.round(y2 - y1)}`;
