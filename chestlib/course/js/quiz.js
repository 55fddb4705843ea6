// A quiz: each question answers at once; the last line counts.

import { h } from "../../viewer/js/dom.js";
import { FORMS, rich } from "./forms.js";
import { hint, judge } from "./judge.js";

/** @import { Answer, Given, Memory, Question, QuizCard } from "./types.d.ts" */

/** @returns {Answer} */
export const unanswered = () => ({ tries: [], given: null, done: "" });

const HOW = { choice: "", number: "", order: "Tap them in order; tap again to take one back.", match: "" };

/** @param {QuizCard} card @param {string} id @param {Memory} memory */
export function quiz({ title, questions }, id, memory) {
  const answers = memory.answers.length === questions.length ? memory.answers : questions.map(unanswered);
  const parts = questions.map((question, i) =>
    asked(question, `${id}-${i}`, answers[i], (answer) => {
      answers[i] = answer;
      count();
      memory.keep([...answers]);
    }),
  );
  const tally = h("span.cq-tally", { role: "status" });
  const again = h(
    "button.cq-quiet",
    {
      type: "button",
      onclick: () => {
        for (const [i, part] of parts.entries()) {
          answers[i] = unanswered();
          part.show(answers[i]);
        }
        count();
        memory.keep([...answers]);
        parts[0].part.querySelector("button")?.focus();
      },
    },
    "Start again",
  );
  const count = () => {
    tally.textContent = summary(answers);
    again.hidden = !answers.some((answer) => answer.done || answer.tries.length);
  };
  count();
  const list = parts.map(({ part }, i) => h("div.cq-question", h("span.cq-number", String(i + 1)), part));
  const onPaper = questions.map(({ answer }, i) => `${i + 1}: ${answer}`).join(" · ");
  const key = h("div.cq-key", ...rich(`Answers. ${onPaper}`));
  return [h("div.cq-title", { id }, ...rich(title)), ...list, h("div.cq-foot", tally, again), key];
}

/** How far, or how well. @param {Answer[]} answers */
function summary(answers) {
  const done = answers.filter((answer) => answer.done);
  const first = done.filter((answer) => answer.done === "right" && !answer.tries.length).length;
  if (done.length < answers.length) return `${done.length} of ${answers.length} answered`;
  return `${first} of ${answers.length} right at first try`;
}

/** One question. @param {Question} question @param {string} id @param {Answer} answer @param {(answer: Answer) => void} changed */
function asked(question, id, answer, changed) {
  const verdict = h("div.cq-verdict", { role: "status", "aria-live": "polite" });
  const onclick = () => set({ ...answer, done: "shown" });
  const tell = h("button.cq-quiet", { type: "button", onclick }, "Show the answer");
  const form = FORMS[question.kind](question, id, said, "Check");

  function said(/** @type {Given} */ given) {
    if (judge(question, given)) return set({ ...answer, given, done: "right" });
    const known = answer.tries.some((other) => JSON.stringify(other) === JSON.stringify(given));
    set({ ...answer, given: null, tries: known ? answer.tries : [...answer.tries, given] });
  }

  function set(/** @type {Answer} */ next) {
    show(next);
    changed(next);
  }

  function show(/** @type {Answer} */ next) {
    answer = next;
    const last = answer.tries.at(-1);
    form.show(answer);
    tell.hidden = answer.done !== "" || last === undefined;
    verdict.dataset.state = answer.done || (last === undefined ? "" : "wrong");
    const lead = answer.done === "right" ? "Right. " : `The answer: ${question.answer}. `;
    if (answer.done) verdict.replaceChildren(h("strong", ...rich(lead)), ...rich(question.why));
    else verdict.replaceChildren(last === undefined ? "" : hint(question, last));
  }

  show(answer);
  const how = HOW[question.kind] ? [h("div.cq-how", HOW[question.kind])] : [];
  const part = h("div.cq-part", h("div.cq-ask", { id }, ...rich(question.ask)), ...how, form.body, verdict, tell);
  return { part, show };
}
