// Truth against detections.

/** @import { Box, DetectionBox, Match, TruthBox } from "./types.d.ts" */

/**
 * Intersection over union of two boxes, both border pixels counted, as the challenge measures it.
 * @type {(a: Box, b: Box) => number}
 */
export function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]) + 1;
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]) + 1;
  if (width <= 0 || height <= 0) return 0;
  const area = (/** @type {Box} */ box) => (box[2] - box[0] + 1) * (box[3] - box[1] + 1);
  return (width * height) / (area(a) + area(b) - width * height);
}

/**
 * The rule of chestlib.metrics.matching: each detection of at least `threshold` points at the truth box of its finding
 * that it overlaps best; the best-scored one with an IoU of at least `iou` hits it, a second one is a false alarm.
 * Returns for each detection the truth box it hit (-1: none) and its best IoU; for each truth box its detection.
 * @type {(truth: TruthBox[], detections: DetectionBox[], threshold: number, iou: number) => Match}
 */
export function match(truth, detections, threshold, iou) {
  const takenBy = truth.map(() => -1);
  const took = detections.map(() => -1);
  const best = detections.map(() => 0);
  detections.forEach((detection, i) => {
    if (detection[5] < threshold) return;
    let nearest = -1;
    truth.forEach((box, j) => {
      const value = box[4] === detection[4] ? overlap(detection, box) : 0;
      if (value > best[i]) [best[i], nearest] = [value, j];
    });
    if (nearest >= 0 && best[i] >= iou && takenBy[nearest] < 0) [took[i], takenBy[nearest]] = [nearest, i];
  });
  return { took, takenBy, best };
}
