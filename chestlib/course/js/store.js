// What a reader answered, kept in the browser under the key of the questions: for the notebook and the report alike.

/** @import { Answer, Question } from "./types.d.ts" */

const KEPT = "chestlib-answers:";

/** Where the browser keeps nothing for a page, the page itself does, for all its cards. @type {Record<string, string>} */
const PAGE = /** @type {any} */ (window)[KEPT] ?? {};
/** @type {any} */ (window)[KEPT] = PAGE;

/** What was answered to these questions, if it was kept and can be read. @param {string} key @param {Question[]} asked */
export function recall(key, asked) {
  let text = PAGE[key];
  try {
    text = localStorage.getItem(KEPT + key) ?? text;
  } catch {
    // no storage for this page
  }
  try {
    const answers = JSON.parse(text ?? "null");
    const whole = Array.isArray(answers) && answers.length === asked.length;
    return whole && asked.every((question, i) => sound(question, answers[i])) ? answers : null;
  } catch {
    return null;
  }
}

const ENDS = ["", "right", "shown"];

/** Whether this can be an answer to the question. @type {(question: Question, answer: any) => boolean} */
function sound({ kind, options = [], items = options }, answer) {
  const place = (/** @type {any} */ i) => Number.isInteger(i) && i >= 0 && i < options.length;
  const fits = (/** @type {any} */ given) => {
    if (kind === "number") return Number.isFinite(given);
    if (kind === "choice") return place(given);
    return Array.isArray(given) && given.length === items.length && given.every(place);
  };
  const { tries, given, done } = answer ?? {};
  return Array.isArray(tries) && tries.every(fits) && (given === null || fits(given)) && ENDS.includes(done);
}

/** @param {string} key @param {Answer[]} answers */
export function keep(key, answers) {
  const text = JSON.stringify(answers);
  PAGE[key] = text;
  try {
    localStorage.setItem(KEPT + key, text);
  } catch {
    // as above
  }
  dispatchEvent(new CustomEvent(KEPT + key));
}

/** Call when the answers of this key change, here or in another window; returns how to stop it. */
export function follow(/** @type {string} */ key, /** @type {() => void} */ does) {
  const elsewhere = (/** @type {StorageEvent} */ event) => event.key === KEPT + key && does();
  addEventListener(KEPT + key, does);
  addEventListener("storage", elsewhere);
  return () => {
    removeEventListener(KEPT + key, does);
    removeEventListener("storage", elsewhere);
  };
}
