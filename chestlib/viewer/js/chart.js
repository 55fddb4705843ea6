// The free-response curve of a reader and of detectors, on the films that were read.

import { svg } from "./dom.js";

/** @import { Point } from "./types.d.ts" */
/** @typedef {{ name: string, colour: string, dash: string, points: Point[], at: Point }} Curve with the point in use */

const WIDTH = 236;
const HEIGHT = 150;
const LEFT = 30;
const TOP = 8;
const BELOW = 30;

/** Recall against false alarms a film. @param {Curve[]} curves */
export function froc(curves) {
  const most = Math.max(0.5, ...curves.map(({ at }) => at.x));
  const end = Math.ceil(most * 1.25 * 2) / 2;
  const x = (/** @type {number} */ rate) => LEFT + (Math.min(rate, end) / end) * (WIDTH - LEFT - 8);
  const y = (/** @type {number} */ recall) => TOP + (1 - recall) * (HEIGHT - TOP - BELOW);
  /** @type {(text: string, at: Record<string, string | number>) => Element} */
  const write = (text, at) => {
    const element = svg("text", { class: "bv-axis", ...at });
    element.textContent = text;
    return element;
  };
  const lines = [0, 0.5, 1].flatMap((recall) => [
    svg("path", { class: "bv-grid", d: `M${LEFT} ${y(recall)}H${WIDTH - 8}` }),
    write(recall.toFixed(1), { x: LEFT - 5, y: y(recall) + 3.5, "text-anchor": "end" }),
  ]);
  const rates = [0, end / 2, end].map((rate) =>
    write(String(rate), { x: x(rate), y: HEIGHT - BELOW + 13, "text-anchor": rate === end ? "end" : "middle" }),
  );
  const drawn = curves.flatMap(({ colour, dash, points, at }) => {
    const inside = points.filter((point) => point.x <= end);
    const d = inside.map((point, i) => `${i ? "L" : "M"}${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`).join("");
    const style = { fill: "none", stroke: colour, "stroke-width": 1.75, "stroke-dasharray": dash };
    const dot = { cx: x(at.x), cy: y(at.y), r: 4, fill: colour, class: "bv-point" };
    return [svg("path", { ...style, d }), svg("circle", dot)];
  });
  const says = curves.map(
    ({ name, at }) => `${name}: recall ${at.y.toFixed(2)} at ${at.x.toFixed(2)} false alarms a film`,
  );
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "bv-froc", role: "img", "aria-label": says.join("; ") },
    ...lines,
    ...rates,
    write("false alarms a film", { x: (LEFT + WIDTH - 8) / 2, y: HEIGHT - 4, "text-anchor": "middle" }),
    ...drawn,
  );
}
