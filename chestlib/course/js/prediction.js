// A prediction, kept; and further down what came out, beside it.

import { h } from "../../viewer/js/dom.js";
import { FORMS, rich } from "./forms.js";
import { unanswered } from "./quiz.js";
import { follow, recall } from "./store.js";

/** @import { Answer, AnswerCard, Given, Memory, PredictionCard, Question } from "./types.d.ts" */

/** @param {PredictionCard} card @param {string} id @param {Memory} memory */
export function prediction({ question }, id, memory) {
  const note = h("div.cq-verdict", { role: "status", "aria-live": "polite" });
  const form = FORMS[question.kind](question, id, (given) => set({ ...unanswered(), given }), "Keep");
  const show = (/** @type {Answer} */ answer) => {
    form.show(answer);
    note.textContent = answer.given === null ? "" : `Kept: ${spoken(question, answer.given)}. Read on.`;
  };
  const set = (/** @type {Answer} */ answer) => {
    show(answer);
    memory.keep([answer]);
  };
  show(memory.answers[0] ?? unanswered());
  return [h("div.cq-title", "Your prediction"), h("div.cq-ask", { id }, ...rich(question.ask)), form.body, note];
}

/** @param {AnswerCard} card @param {string} id */
export function outcome({ key, question }, id) {
  const { kind, right } = question;
  const mine = h("div.cq-figure");
  const gap = h("div.cq-gap", { role: "status" });
  const show = () => {
    const given = recall(key, [question])?.[0].given ?? null;
    mine.textContent = given === null ? "–" : spoken(question, given);
    if (given === null) gap.textContent = "No prediction was made above.";
    else if (right === null) gap.textContent = "";
    else if (kind === "choice") gap.textContent = given === right ? "As you predicted." : "Not as you predicted.";
    else gap.textContent = given === right ? "Exactly." : `Off by ${plain(Math.abs(given - Number(right)))}.`;
  };
  show();
  const side = (/** @type {string} */ label, /** @type {Element} */ figure) =>
    h("div", h("div.cq-label", label), figure);
  const came = h("div.cq-figure", ...rich(question.answer));
  const pair = h("div.cq-beside", side("You predicted", mine), side("What came out", came));
  const parts = [h("div.cq-ask", { id }, ...rich(question.ask)), pair, gap];
  return { parts: question.why ? [...parts, h("div", ...rich(question.why))] : parts, close: follow(key, show) };
}

/** @param {Question} question @param {Given} given */
function spoken({ options, unit }, given) {
  return options ? (options[Number(given)] ?? "").replaceAll("`", "") : `${plain(Number(given))} ${unit ?? ""}`.trim();
}

/** A number in four digits at most. @param {number} value */
const plain = (value) => Number(value.toPrecision(4)).toLocaleString("en");
