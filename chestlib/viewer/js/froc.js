// What somebody's marks come to over some films, all findings together, as chestlib.metrics.froc_pooled has it.

import { match } from "./match.js";

/** @import { DetectionBox, Mark, Marked, Point, Sum, TruthBox } from "./types.d.ts" */

/** @type {(truth: TruthBox[], found: DetectionBox[], iou: number) => Marked} */
export function marked(truth, found, iou) {
  const { took, best } = match(truth, found, 0, iou);
  return { marks: found.map((box, i) => ({ score: box[5], iou: took[i] >= 0 ? best[i] : null })), boxes: truth.length };
}

/** The marks of at least this score. @type {(films: Marked[], least: number) => Sum} */
export function summed(films, least) {
  const marks = films.flatMap((film) => film.marks).filter(({ score }) => score >= least);
  const hits = marks.filter(({ iou }) => iou !== null);
  const boxes = films.reduce((sum, film) => sum + film.boxes, 0);
  return {
    films: films.length,
    boxes,
    hits: hits.length,
    alarms: marks.length - hits.length,
    recall: hits.length / boxes,
    rate: (marks.length - hits.length) / films.length,
    iou: hits.reduce((sum, { iou }) => sum + (iou ?? 0), 0) / hits.length,
  };
}

/** From (0, 0), a step a mark, the surest first: false alarms a film, and recall. @type {(films: Marked[]) => Point[]} */
export function traced(films) {
  const boxes = films.reduce((sum, film) => sum + film.boxes, 0);
  /** @type {Mark[]} */
  const marks = films.flatMap((film) => film.marks).sort((a, b) => b.score - a.score);
  let [hits, alarms] = [0, 0];
  const points = marks.map(({ iou }) => {
    if (iou === null) alarms += 1;
    else hits += 1;
    return { x: alarms / films.length, y: hits / boxes };
  });
  return [{ x: 0, y: 0 }, ...points];
}
