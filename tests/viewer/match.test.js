// The viewer's matching alone, on the cases that the metrics are tested on too (test_matching_cases.py).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { match } from "../../chestlib/viewer/js/match.js";

const cases = JSON.parse(readFileSync(new URL("matching.json", import.meta.url), "utf8"));

for (const { name, truth, detections, threshold, iou, took, takenBy, best } of cases) {
  test(name, () => {
    const found = match(truth, detections, threshold, iou);
    assert.deepEqual(found.took, took);
    assert.deepEqual(found.takenBy, takenBy);
    assert.equal(found.best.length, best.length);
    found.best.forEach((value, i) => {
      assert.ok(Math.abs(value - best[i]) < 1e-4, `IoU ${value}, expected ${best[i]}`);
    });
  });
}
