// How each kind of question takes an answer. Controls that are done stay in reach of the keyboard, and do nothing.

import { h, icon } from "../../viewer/js/dom.js";
import { inPlace, number } from "./judge.js";

/** @import { Answer, Ask, Given, Question } from "./types.d.ts" */

/** Text in which `code` stands between backticks; nothing in it is markup. @param {string} text */
export const rich = (text) =>
  text.split(/`([^`]+)`/).map((part, i) => (i % 2 ? h("code.cq-code", part) : document.createTextNode(part)));

/** @param {Element} element @param {boolean} done */
const close = (element, done) => element.setAttribute("aria-disabled", String(done));

/** Whether it was said before. @param {Given[]} tries @param {Given} given */
const said = (tries, given) => tries.some((other) => JSON.stringify(other) === JSON.stringify(given));

/** Buttons: one answers at once. @type {Ask} */
function choiceForm({ options = [], right }, named, answered) {
  let over = false;
  const buttons = options.map((text, i) => {
    const onclick = () => over || buttons[i].dataset.state === "wrong" || answered(i);
    const mark = h("span.cq-mark", { "aria-hidden": "true" });
    return h("button.cq-option", { type: "button", onclick }, mark, h("span.cq-text", ...rich(text)));
  });
  const show = (/** @type {Answer} */ answer) => {
    over = right !== null && answer.done !== "";
    buttons.forEach((button, i) => {
      const kept = right === null && answer.given === i;
      const state = over && i === right ? "right" : said(answer.tries, i) ? "wrong" : kept ? "kept" : "";
      button.dataset.state = state;
      close(button, over || state === "wrong");
      if (right === null) button.setAttribute("aria-pressed", String(kept));
      const says = { right: " (right)", wrong: " (wrong)", kept: "", "": "" }[state];
      button.setAttribute("aria-label", options[i].replaceAll("`", "") + says);
      button.firstElementChild?.replaceChildren(...mark(state, String.fromCharCode(65 + i)));
    });
  };
  return { body: h("div.cq-options", { role: "group", "aria-labelledby": named }, ...buttons), show };
}

/** What stands before an option. @param {string} state @param {string} letter */
const mark = (state, letter) =>
  state === "right" || state === "kept" ? [icon("hit")] : state === "wrong" ? [icon("alarm")] : [letter];

/** A field, a unit, a button. @type {Ask} */
function numberForm({ unit, right }, named, answered, action) {
  const note = h("span.cq-note", { role: "status" });
  const send = () => {
    if (input.readOnly) return;
    const value = number(input.value, unit);
    note.textContent = Number.isNaN(value) ? "A number, please: 0.5 or 1/2." : "";
    input.setAttribute("aria-invalid", String(Number.isNaN(value)));
    if (!Number.isNaN(value)) answered(value);
  };
  const onkeydown = (/** @type {Event} */ event) => /** @type {KeyboardEvent} */ (event).key === "Enter" && send();
  const plain = { type: "text", inputmode: "decimal", autocomplete: "off", maxlength: 40 };
  const input = h("input.cq-input", { ...plain, "aria-labelledby": named, onkeydown });
  const button = h("button.cq-button", { type: "button", onclick: send }, action);
  const show = (/** @type {Answer} */ answer) => {
    const over = right !== null && answer.done !== "";
    const last = answer.given ?? answer.tries.at(-1);
    if (last === undefined) input.value = "";
    else if (number(input.value, unit) !== last) input.value = String(last); // as it was written, if it was just written
    input.readOnly = over;
    button.hidden = over;
  };
  return { body: h("div.cq-row", input, h("span.cq-unit", ...rich(unit ?? "")), button, note), show };
}

/** Buttons, tapped in the right order; a second tap takes one back. The last one answers. @type {Ask} */
function orderForm({ options = [], right }, named, answered) {
  /** @type {number[]} */ let picked = [];
  let over = false;
  const tap = (/** @type {number} */ i) => {
    if (over) return;
    picked = picked.includes(i) ? picked.filter((other) => other !== i) : [...picked, i];
    draw();
    if (picked.length === options.length) answered([...picked]);
  };
  const buttons = options.map((text, i) => {
    const place = h("span.cq-mark", { "aria-hidden": "true" });
    return h("button.cq-option", { type: "button", onclick: () => tap(i) }, place, h("span.cq-text", ...rich(text)));
  });
  const draw = () => {
    buttons.forEach((button, i) => {
      const place = picked.indexOf(i) + 1;
      button.dataset.state = over ? "right" : place ? "placed" : "";
      close(button, over);
      button.setAttribute("aria-label", `${place ? `${place}: ` : ""}${options[i].replaceAll("`", "")}`);
      if (button.firstElementChild) button.firstElementChild.textContent = place ? String(place) : "";
    });
    const rows = over ? picked.map((i) => buttons[i]) : buttons;
    if (rows.some((row, i) => row !== body.children[i])) body.replaceChildren(...rows);
  };
  const show = (/** @type {Answer} */ answer) => {
    over = answer.done !== "";
    const last = /** @type {number[] | undefined} */ (answer.tries.at(-1));
    const goal = /** @type {number[]} */ (right);
    if (over) picked = goal;
    else if (picked.length === options.length || !answer.tries.length)
      picked = last ? last.slice(0, inPlace(last, goal)) : [];
    draw();
  };
  const body = h("div.cq-options", { role: "group", "aria-labelledby": named });
  return { body, show };
}

/** A list to choose from beside each item. @type {Ask} */
function matchForm({ items = [], options = [], right }, named, answered, action) {
  let over = false;
  const goal = /** @type {number[]} */ (right);
  const chosen = () => selects.map((select) => Number(select.value));
  const ready = () => close(button, over || chosen().includes(-1));
  const selects = items.map((item) => {
    const label = item.replaceAll("`", "");
    const first = h("option", { value: -1 }, "choose …");
    const texts = options.map((text, i) => h("option", { value: i }, text.replaceAll("`", "")));
    return h("select.cq-select", { "aria-label": label, onchange: ready }, first, ...texts);
  });
  const onclick = () => button.getAttribute("aria-disabled") === "true" || answered(chosen());
  const button = h("button.cq-button", { type: "button", onclick }, action);
  const rows = items.map((item, i) => h("div.cq-pair", h("span.cq-text", ...rich(item)), selects[i]));
  const show = (/** @type {Answer} */ answer) => {
    over = answer.done !== "";
    const last = /** @type {number[] | undefined} */ (over ? goal : answer.tries.at(-1));
    selects.forEach((select, i) => {
      if (over || !answer.tries.length) select.value = String(last?.[i] ?? -1);
      else if (select.value === "-1") select.value = String(last?.[i] ?? -1);
      select.disabled = over;
      rows[i].dataset.state = last?.[i] === undefined ? "" : last[i] === goal[i] ? "right" : "wrong";
    });
    button.hidden = over;
    ready();
  };
  return { body: h("div.cq-pairs", { role: "group", "aria-labelledby": named }, ...rows, button), show };
}

/** @type {Record<Question["kind"], Ask>} */
export const FORMS = { choice: choiceForm, number: numberForm, order: orderForm, match: matchForm };
