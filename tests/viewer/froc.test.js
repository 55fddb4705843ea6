// What a reader's marks come to; the browser test compares it with the metrics.

import assert from "node:assert/strict";
import { test } from "node:test";
import { marked, summed, traced } from "../../chestlib/viewer/js/froc.js";

test("films, false alarms and recall are summed with all findings together, a step a mark", () => {
  const films = [
    marked(
      [[0, 0, 50, 50, 8]],
      [
        [2, 0, 50, 50, 8, 0.9],
        [60, 60, 90, 90, 3, 0.2],
      ],
      0.5,
    ),
    marked([], [[1, 1, 9, 9, 8, 0.5]], 0.5),
  ];
  assert.deepEqual(traced(films), [
    { x: 0, y: 0 },
    { x: 0, y: 1 },
    { x: 0.5, y: 1 },
    { x: 1, y: 1 },
  ]);
  const { hits, alarms, recall, rate, iou } = summed(films, 0.5);
  assert.deepEqual([hits, alarms, recall, rate], [1, 1, 1, 0.5]);
  assert.ok(Math.abs(iou - 49 / 51) < 1e-9, String(iou));
});
