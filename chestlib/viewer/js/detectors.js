// Several detectors: which is shown, and what A finds and B does not.

import { h, press, swatch } from "./dom.js";
import { hint } from "./keys.js";

/** @import { Study } from "./study.js" */
/** @import { Difference, Outcome } from "./types.d.ts" */

const LETTERS = ["A", "B"];

/** How many true boxes each way. @type {(found: Difference[]) => Record<Difference, number>} */
const counted = (found) => {
  const counts = { both: 0, a: 0, b: 0, neither: 0 };
  for (const way of found) counts[way] += 1;
  return counts;
};

/** Lines with the looks and numbers of some true boxes. @type {(study: Study, found: Difference[]) => Node[]} */
function legend(study, found) {
  const counts = counted(found);
  return /** @type {Difference[]} */ (Object.keys(study.differences)).map((way) =>
    h("span.bv-outcome", swatch(study.differences[way], "truth"), `${counts[way]} ${study.differences[way].name}`),
  );
}

/** What the colours on the film shown mean, and how many boxes have each. @param {Study} study @returns {Node[]} */
export function legendOf(study) {
  const difference = study.get("colour") === "difference" && study.difference(study.index);
  if (difference) return legend(study, difference);
  if (!study.coloursMatches) return [];
  const counts = study.count(study.index, (box) => study.shows(box[4]));
  return /** @type {Outcome[]} */ (Object.keys(study.outcomes)).map((outcome) => {
    const sample = swatch(study.outcomes[outcome], outcome === "missed" ? "truth" : "detections");
    return h("span.bv-outcome", sample, study.tell(outcome, counts[outcome]));
  });
}

/** A button a detector, and the difference over all films. */
export class Detectors {
  #rows;
  #counts = h("div.bv-differences");
  #counted = "";

  constructor(/** @type {Study} */ study, /** @type {(name: string) => void} */ show) {
    this.study = study;
    this.#rows = study.detectors.map((name) => {
      const letter = h("span.bv-key");
      const onclick = () => show(name);
      const title = `${name} (${hint("a")}: the other)`;
      return {
        letter,
        button: h("button.bv-toggle", { type: "button", title, onclick }, letter, h("span.bv-text", name)),
      };
    });
    this.element = h(
      "div.bv-section",
      h("div.bv-heading", "Detector"),
      h("div.bv-detectors", { role: "group", "aria-label": "Detector" }, ...this.#rows.map(({ button }) => button)),
      this.#counts,
    );
  }

  refresh() {
    const { study } = this;
    const pair = study.pair;
    for (const [k, { button, letter }] of this.#rows.entries()) {
      const at = pair?.indexOf(k) ?? -1;
      press(button, k === study.detector);
      letter.textContent = LETTERS[at] ?? "";
    }
    this.#counts.hidden = study.get("colour") !== "difference";
    if (this.#counts.hidden) return;
    const by = JSON.stringify([pair, study.get("threshold"), study.get("iou"), study.reading?.read]);
    if (by === this.#counted) return;
    this.#counted = by;
    const found = study.images.flatMap((_, i) => study.difference(i) ?? []);
    this.#counts.replaceChildren(h("div.bv-heading", "True boxes of all films, found by"), ...legend(study, found));
  }
}
