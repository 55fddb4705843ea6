// The two hosts: anywidget in Jupyter, and a page without a kernel. Either keeps the answers in the browser.

import { h } from "../../viewer/js/dom.js";
import { outcome, prediction } from "./prediction.js";
import { quiz } from "./quiz.js";
import { keep, recall } from "./store.js";

/** @import { Answer, Card, Model } from "./types.d.ts" */

/**
 * Put a card into its host; returns how to end it.
 * @param {Element} host @param {Card} card @param {Answer[]} known @param {(answers: Answer[]) => void} changed
 */
function put(host, card, known, changed) {
  const id = `cq-${Math.random().toString(36).slice(2)}`; // two views of one card must not share ids
  const asked = card.form === "quiz" ? card.questions : [card.question];
  const answers = known.length ? known : (recall(card.key, asked) ?? []);
  if (answers.length && !known.length && card.form !== "answer") changed(answers);
  const told = (/** @type {Answer[]} */ next) => {
    keep(card.key, next);
    changed(next);
  };
  let close = () => {};
  /** @type {Element[]} */ let parts;
  if (card.form === "answer") ({ parts, close } = outcome(card, id));
  else if (card.form === "quiz") parts = quiz(card, id, { answers: [...answers], keep: told });
  else parts = prediction(card, id, { answers, keep: told });
  // JupyterLab's commands, as D D for delete, are not for who writes here; what a modifier holds is left to it.
  const onkeydown = (/** @type {Event} */ event) => {
    const { ctrlKey, metaKey, altKey } = /** @type {KeyboardEvent} */ (event);
    if (!(ctrlKey || metaKey || altKey)) event.stopPropagation();
  };
  const about = { role: "group", "aria-labelledby": id, "data-lm-suppress-shortcuts": "true", onkeydown };
  const root = h(`div.cq.cq-${card.form}`, about, ...parts);
  host.append(root);
  return () => {
    close();
    root.remove();
  };
}

/** In Jupyter: called by anywidget for each view. @param {{ model: Model, el: Element }} context */
export function render({ model, el }) {
  return put(el, model.get("_card"), model.get("answers"), (answers) => {
    model.set("answers", answers);
    model.save_changes();
  });
}

/** In a page: `host` holds a script of type application/json with the card. @param {Element} host */
export function mount(host) {
  const card = JSON.parse(host.querySelector("script[type='application/json']")?.textContent ?? "");
  for (const fallback of host.querySelectorAll(":scope > :not(script)")) fallback.remove();
  return put(host, card, [], () => {});
}
