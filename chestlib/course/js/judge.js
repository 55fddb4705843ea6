// Right or not.

/** @import { Given, Question } from "./types.d.ts" */

/** A number as people write it: 0.5, 0,5, 1/2, −3, 50 %; NaN for what is none. @param {string} text @param {string} unit */
export function number(text, unit = "") {
  const plain = text
    .replaceAll("\u2212", "-")
    .replaceAll(/[\s\u00a0]/g, "")
    .replace(",", ".");
  const [whole, by, ...more] = plain.replace(/%$/, "").split("/");
  if (more.length || !(isNumber(whole) && (by === undefined || isNumber(by)))) return Number.NaN;
  const value = Number(whole) / Number(by ?? 1) / (plain.endsWith("%") && unit !== "%" ? 100 : 1);
  return Number.isFinite(value) ? value : Number.NaN;
}

const isNumber = (/** @type {string} */ text) => /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);

/** Whether an answer is right; a number may lie on the edge of its tolerance. @param {Question} question @param {Given} given */
export function judge({ kind, right, tolerance = 0 }, given) {
  if (kind !== "number") return JSON.stringify(given) === JSON.stringify(right);
  const [is, said] = [Number(right), Number(given)];
  return Math.abs(said - is) <= tolerance + 1e-9 * Math.max(1, Math.abs(is));
}

/** What a wrong answer is told, without the right one. @param {Question} question @param {Given} given */
export function hint({ kind, right, options }, given) {
  if (kind === "number") return Number(given) > Number(right) ? "Too high." : "Too low.";
  if (!(Array.isArray(given) && Array.isArray(right))) return "No.";
  if (kind === "order") {
    const n = inPlace(given, right);
    return n ? `Not yet: the first ${n} of ${options?.length} stand right.` : "Not yet: another one comes first.";
  }
  return `Not yet: ${given.filter((option, i) => option === right[i]).length} of ${right.length} are right.`;
}

/** How many stand right from the start on. @param {number[]} given @param {number[]} right */
export function inPlace(given, right) {
  const wrong = given.findIndex((option, i) => option !== right[i]);
  return wrong < 0 ? given.length : wrong;
}
