// Marks on the canvas, in CSS pixels: as thin at 800 % as at 50 %.

import { clamp, fixed } from "./numbers.js";

/** @import { Item, Place, Point, Size } from "./types.d.ts" */
/** @import { View } from "./view.js" */
/** @typedef {Place & { item: Item, rank: number }} Mark a box on the stage; rank 2: selected, 1: under the pointer */

const MANY = 1000; // of them the dark edge is left out: it takes as long again
const LABELS = 30; // drawn at a time, best scores first; zooming in brings out the others
const DASH = { solid: [], dashed: [7, 4], dotted: [1.5, 4], dashdot: [8, 3, 1.5, 3] };

/**
 * All boxes in sight, then the labels of those that `labelled` takes, as far as there is room on the stage.
 * @param {CanvasRenderingContext2D} context @param {Item[]} items @param {View} view
 * @param {(item: Item) => number} rank @param {(item: Item) => boolean} labelled
 */
export function drawMarks(context, items, view, rank, labelled) {
  context.font = "600 11px system-ui, sans-serif";
  context.textBaseline = "middle";
  const marks = items.map((item) => ({ ...view.place(item.box), item, rank: rank(item) }));
  marks.sort((a, b) => b.rank - a.rank); // stable: best score first within a rank
  const selected = marks[0]?.rank === 2;
  const seen = marks.filter((mark) => view.sees(mark, 4));
  for (const mark of [...seen].reverse()) {
    context.globalAlpha = selected && !mark.rank ? 0.45 : 1;
    drawBox(context, mark, items.length > MANY);
  }
  /** @type {(Point & { width: number })[]} */
  const taken = [];
  for (const mark of seen) {
    if (!mark.rank && (taken.length >= LABELS || !labelled(mark.item))) continue;
    context.globalAlpha = selected && !mark.rank ? 0.6 : 1;
    drawLabel(context, mark, taken, view);
  }
  context.globalAlpha = 1;
}

/**
 * Truth is a thin line with heavy corners, a detection an even outline, the reader's box an outline edged in white: told
 * apart without colour.
 * @type {(context: CanvasRenderingContext2D, mark: Mark, plain: boolean) => void}
 */
function drawBox(context, { left, top, right, bottom, item: { layer, style }, rank }, plain) {
  const [width, height] = [right - left, bottom - top];
  const alpha = context.globalAlpha;
  const truth = layer === "truth";
  const line = (truth && style.line !== "dotted" ? 1 : 1.75) + 0.75 * rank;
  /** @type {(colour: string, thickness: number, dash?: number[]) => void} */
  const outline = (colour, thickness, dash = []) => {
    Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
    context.setLineDash(dash);
    context.strokeRect(left, top, width, height);
  };
  if (truth || rank) {
    Object.assign(context, { fillStyle: style.colour, globalAlpha: alpha * (rank ? 0.08 : 0.04) });
    context.fillRect(left, top, width, height);
    context.globalAlpha = alpha;
  }
  const edge = rank === 2 || layer === "yours" ? "#ffffff" : "rgb(0 0 0 / 50%)"; // parts the line from bright bone
  if (!plain || rank) outline(edge, line + 1.5);
  outline(style.colour, line, DASH[style.line]);
  if (!truth) return;
  const reach = Math.min(14, width / 3, height / 3);
  context.setLineDash([]);
  context.lineWidth = 3.25;
  context.beginPath();
  for (const [x, inwards] of [
    [left, reach],
    [right, -reach],
  ]) {
    for (const [y, down] of [
      [top, reach],
      [bottom, -reach],
    ]) {
      context.moveTo(x + inwards, y);
      context.lineTo(x, y);
      context.lineTo(x, y + down);
    }
  }
  context.stroke();
}

/**
 * Detections are labelled above, truth below; a label that would cover another is left out.
 * @type {(context: CanvasRenderingContext2D, mark: Mark, taken: (Point & { width: number })[], stage: Size) => void}
 */
function drawLabel(context, { left, top, right, bottom, item }, taken, stage) {
  const { finding, style } = item;
  const truth = item.layer === "truth";
  const whose = item.layer === "yours" ? "you: " : "";
  const text = truth ? finding.name : `${whose}${finding.name} ${fixed(item.score)}`;
  const [width, height] = [context.measureText(text).width + 10, 17];
  const x = clamp(left - 1, 0, Math.max(stage.width - width, 0));
  const outside = truth ? bottom + 2 : top - height - 2;
  const inside = truth ? bottom - height - 3 : top + 3;
  const covers = (/** @type {Point & { width: number }} */ other, /** @type {number} */ y) =>
    x < other.x + other.width && other.x < x + width && y < other.y + height && other.y < y + height;
  const y = [outside, inside].find(
    (at) => at >= 0 && at + height <= stage.height && !taken.some((other) => covers(other, at)),
  );
  if (y === undefined || right < 0) return;
  taken.push({ x, y, width });
  context.setLineDash([]);
  context.fillStyle = truth ? "rgba(8, 11, 15, .78)" : style.colour;
  context.beginPath();
  context.roundRect(x, y, width, height, 3);
  context.fill();
  if (truth) {
    Object.assign(context, { strokeStyle: style.colour, lineWidth: 1 });
    context.stroke();
  }
  context.fillStyle = truth ? style.colour : "#0b0e12";
  context.fillText(text, x + 5, y + height / 2 + 0.5);
}
