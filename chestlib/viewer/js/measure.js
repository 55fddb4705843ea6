// Lengths: the ruler, and the bar that says how long a centimetre is.

import { clamp } from "./numbers.js";

/** @import { Picture, Point, Size } from "./types.d.ts" */
/** @import { View } from "./view.js" */
/** @typedef {{ x: number, y: number, note: string }} Scale mm of a pixel across and down */

const END_REACH = { mouse: 8, finger: 22 }; // CSS pixels around an end
const END_STRIDE = 6; // CSS pixels a key press moves an end
const BAR = 110; // CSS pixels, at most

/** What a pixel of the original measures; null where nobody knows. @param {Picture | null} picture @returns {Scale | null} */
export function scaleOf(picture) {
  if (!picture?.extent) return null;
  const [width, height, atDetector] = picture.extent;
  return { x: width / picture.width, y: height / picture.height, note: atDetector ? " at the detector" : "" };
}

/** The length from one place of the original to another, in words. @type {(from: Point, to: Point, scale: Scale | null) => string} */
export function lengthOf(from, to, scale) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  if (!scale) return `${Math.hypot(dx, dy).toFixed(0)} px of the film, mm unknown`;
  return `${Math.hypot(dx * scale.x, dy * scale.y).toFixed(1)} mm${scale.note}`;
}

/** A line from one place of the film to another. */
export class Ruler {
  /** Its ends, original pixels; none: it is put away. @type {Point[]} */ ends = [];
  /** How often it was changed: who draws it asks. */ strokes = 0;
  /** While a hand moves it: which end, and how it lay before. @type {{ end: number, before: Point[], from: Point } | null} */
  #draft = null;

  constructor(/** @type {View} */ view) {
    this.view = view;
  }

  /** Across the middle of what is in sight. */
  place() {
    const { width, height } = this.view;
    this.#set([width * 0.375, width * 0.625].map((x) => this.view.original({ x, y: height / 2 })));
  }

  clear() {
    this.#draft = null;
    this.#set([]);
  }

  /** A press near an end takes hold of it, one elsewhere begins anew. @param {Point} at @param {boolean} finger */
  start(at, finger) {
    const reach = finger ? END_REACH.finger : END_REACH.mouse;
    const far = this.ends.map((end) => {
      const { x, y } = this.view.onStage(end);
      return Math.hypot(x - at.x, y - at.y);
    });
    const nearest = far.indexOf(Math.min(...far));
    this.#draft = { end: far[nearest] <= reach ? nearest : -1, before: this.ends, from: this.view.original(at) };
  }

  drag(/** @type {Point} */ at) {
    if (!this.#draft) return;
    const { end, before, from } = this.#draft;
    const to = this.view.original(at);
    this.#set(end < 0 ? [from, to] : before.map((point, i) => (i === end ? to : point)));
  }

  /** The press has ended; a click, or a second finger, leaves it as it was. @param {boolean} valid */
  end(valid) {
    if (this.#draft && !valid) this.#set(this.#draft.before);
    this.#draft = null;
  }

  /** Move an end by a key. @type {(x: number, y: number, first: boolean) => void} */
  nudge(x, y, first) {
    if (!this.ends.length) this.place();
    const stride = Math.max(1, END_STRIDE / this.view.scale);
    const [dx, dy] = this.view.back(x * stride, y * stride);
    this.#set(this.ends.map((end, i) => (i === (first ? 0 : 1) ? { x: end.x + dx, y: end.y + dy } : end)));
  }

  /** Always on the film. @param {Point[]} ends */
  #set(ends) {
    const { width, height } = this.view.size ?? { width: 0, height: 0 };
    this.ends = ends.map(({ x, y }) => ({ x: clamp(x, 0, width), y: clamp(y, 0, height) }));
    this.strokes += 1;
  }

  /** @param {Scale | null} scale */
  says(scale) {
    return this.ends.length ? lengthOf(this.ends[0], this.ends[1], scale) : "";
  }

  /** @type {(context: CanvasRenderingContext2D, scale: Scale | null) => void} */
  draw(context, scale) {
    if (!this.ends.length) return;
    const [from, to] = this.ends.map((end) => this.view.onStage(end));
    const long = Math.hypot(to.x - from.x, to.y - from.y) || 1;
    const [across, down] = [(-7 * (to.y - from.y)) / long, (7 * (to.x - from.x)) / long];
    const ticks = [from, to].map(({ x, y }) => [x - across, y - down, x + across, y + down]);
    strokeTwice(context, [[from.x, from.y, to.x, to.y], ...ticks], "#7df0ff");
    write(context, this.says(scale), to.x + 10, to.y - 12, this.view);
  }
}

/** How long a centimetre, or another round length, is on the stage. @type {(context: CanvasRenderingContext2D, view: View, scale: Scale | null) => void} */
export function drawScale(context, view, scale) {
  const [right, bottom] = [view.width - 12, view.height - 34];
  if (!scale) return write(context, "mm unknown", right, bottom - 8, view, true);
  const turned = view.turn[0] === 0; // what was across is down
  const across = (turned ? scale.y : scale.x) / view.scale;
  const down = (turned ? scale.x : scale.y) / view.scale;
  const longest = Math.min(BAR, view.width / 3) * Math.min(across, down);
  const ten = 10 ** Math.floor(Math.log10(longest));
  const mm = ten * (longest >= 5 * ten ? 5 : longest >= 2 * ten ? 2 : 1);
  const left = right - mm / across;
  const lines = [
    [left, bottom, right, bottom],
    [left, bottom - 4, left, bottom + 4],
    [right, bottom - 4, right, bottom + 4],
  ];
  // Pixels that are no squares: the same length downwards.
  if (Math.abs(across - down) > 1e-3 * across) lines.push([left, bottom, left, bottom - mm / down]);
  strokeTwice(context, lines, "#e8edf3");
  const text = mm >= 10 ? `${mm / 10} cm` : `${Number(mm.toPrecision(1))} mm`;
  write(context, `${text}${scale.note}`, right, bottom - 14, view, true);
}

/** With a dark edge, to be seen on bright bone. @type {(context: CanvasRenderingContext2D, lines: number[][], colour: string) => void} */
function strokeTwice(context, lines, colour) {
  context.setLineDash([]);
  for (const [strokeStyle, lineWidth] of [
    ["rgb(0 0 0 / 65%)", 4],
    [colour, 1.75],
  ]) {
    Object.assign(context, { strokeStyle, lineWidth });
    context.beginPath();
    for (const [x1, y1, x2, y2] of lines) {
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
    }
    context.stroke();
  }
}

/** A text on a dark ground, kept on the stage. @type {(context: CanvasRenderingContext2D, text: string, x: number, y: number, stage: Size, ends?: boolean) => void} */
function write(context, text, x, y, stage, ends = false) {
  Object.assign(context, { font: "600 11px system-ui, sans-serif", textBaseline: "middle" });
  const width = context.measureText(text).width + 10;
  const left = clamp(ends ? x - width + 5 : x, 2, Math.max(2, stage.width - width - 2));
  const middle = clamp(y, 10, stage.height - 10);
  context.fillStyle = "rgb(9 12 16 / 72%)";
  context.fillRect(left, middle - 8, width, 16);
  context.fillStyle = "#e8edf3";
  context.fillText(text, left + 5, middle + 0.5);
}
