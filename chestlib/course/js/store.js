// What a reader answered, kept in the browser under the key of the questions: for the notebook and the report alike.

/** @import { Answer } from "./types.d.ts" */

const KEPT = "chestlib-answers:";

/** Where the browser keeps nothing for a page, the page itself does, for all its cards. @type {Record<string, string>} */
const PAGE = /** @type {any} */ (window)[KEPT] ?? {};
/** @type {any} */ (window)[KEPT] = PAGE;

/** What was answered to so many questions, if it was kept and can be read. @param {string} key @param {number} count */
export function recall(key, count) {
  let text = PAGE[key];
  try {
    text = localStorage.getItem(KEPT + key) ?? text;
  } catch {
    // no storage for this page
  }
  try {
    const answers = JSON.parse(text ?? "null");
    return Array.isArray(answers) && answers.length === count && answers.every(sound) ? answers : null;
  } catch {
    return null;
  }
}

/** Whether this was written by `keep`. @type {(answer: any) => boolean} */
const sound = (answer) => Array.isArray(answer?.tries) && typeof answer.done === "string" && "given" in answer;

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
