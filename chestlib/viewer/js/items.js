// The boxes of an image that may be drawn, each with its look and its outcome.

import { fixed, size } from "./numbers.js";

/** @import { Source, Study } from "./study.js" */
/** @import { Box, Item, Layer, Match, Point, StudyData } from "./types.d.ts" */
/** @import { View } from "./view.js" */

/** Those of an image: the reader's and the detections best first, then truth. @param {Study} study */
export function drawable(study, index = study.index) {
  const image = study.images[index];
  const open = study.open(index);
  const colour = study.get("colour");
  const difference = colour === "difference" ? study.difference(index) : null;
  /** @type {Item[]} */
  const items = [];
  /** @type {(layer: Layer, i: number, box: Box, found: Match | null, partner: number, iou: number | null) => void} */
  const add = (layer, i, box, found, partner, iou) => {
    if (!study.shows(box[4])) return;
    const finding = study.finding(box[4]);
    const outcome =
      found && study.judges(index, box) && (partner >= 0 ? "hit" : layer === "truth" ? "missed" : "alarm");
    const which = difference?.[layer === "truth" ? i : layer === "detections" ? partner : -1];
    const byMatch = colour === "match" || (difference && layer !== "truth");
    const plain = byMatch && outcome ? study.outcomes[outcome] : finding;
    const style = which ? study.differences[which] : plain;
    const item = { layer, i, box, score: box[5] ?? null, finding, style, outcome: outcome || null, partner, iou };
    items.push(/** @type {Item} */ (item));
  };
  /** @type {(layer: Layer, source: Source) => void} */
  const addMarks = (layer, source) => {
    if (!study.showsLayer(layer)) return;
    const found = study.matched(index, source);
    const least = study.least(source);
    study.marks(index, source)?.forEach((box, i) => {
      if (box[5] >= least) add(layer, i, box, found, found?.took[i] ?? -1, found ? found.best[i] : null);
    });
  };
  addMarks("yours", "yours");
  if (open) addMarks("detections", study.detector);
  if (open && study.showsLayer("truth")) {
    const found = study.matched(index);
    image.truth?.forEach((box, i) => {
      const by = found?.takenBy[i] ?? -1;
      add("truth", i, box, found, by, found && by >= 0 ? found.best[by] : null);
    });
  }
  return items;
}

/** A box in words: finding and score, outcome, size. @type {(item: Item, outcomes: StudyData["outcomes"]) => string[]} */
export function described({ layer, finding, box, score, iou, outcome, partner }, outcomes) {
  const says = layer === "truth" ? "truth" : `${layer === "yours" ? "yours, sure" : "score"} ${fixed(score)}`;
  const lines = [`${finding.name}, ${says}`];
  if (outcome) {
    const overlapping = iou === null ? "" : `, IoU ${fixed(iou)}`;
    const found = layer === "truth" && partner >= 0 ? "found" : outcomes[outcome].name;
    lines.push(`${found[0].toUpperCase()}${found.slice(1)}${overlapping}`);
  }
  return [...lines, `${size(box)} px`];
}

/** The boxes at a point of the stage: nearest edge first, else the smallest around it. @type {(items: Item[], view: View, at: Point) => Item[]} */
export function under(items, view, { x, y }) {
  const reach = 5;
  return items
    .map((item) => {
      const { left, top, right, bottom } = view.place(item.box);
      const inside = Math.min(x - left, right - x, y - top, bottom - y);
      const area = (right - left) * (bottom - top);
      return { item, inside, rank: Math.abs(inside) <= reach ? Math.abs(inside) : reach + area };
    })
    .filter(({ inside }) => inside >= -reach)
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

/** Are these the same box, though the list was made anew? @type {(a: Item | null, b: Item | null) => boolean} */
export const same = (a, b) => Boolean(a && b && a.layer === b.layer && a.i === b.i);
