// Elements, and the small parts that several panes share.

import { clamp, fixed } from "./numbers.js";

/** @import { Attributes, Layer, Selected, Selector, Style } from "./types.d.ts" */

/**
 * An element, given as tag.class.class, attributes if any, and children; strings among them become text, never markup.
 * Mostly a div or a span: pages style headings, lists and tables in their own way.
 * @template {Selector} S @param {S} selector @param {(Attributes | Node | string)[]} children
 */
export function h(selector, ...children) {
  const [tag, ...classes] = selector.split(".");
  const attributes = children[0]?.constructor === Object ? /** @type {Attributes} */ (children.shift()) : {};
  const element = document.createElement(tag);
  element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(.../** @type {(Node | string)[]} */ (children));
  return /** @type {Selected<S>} */ (element);
}

/** Say whether a button is pressed. @type {(button: Element, on: boolean) => void} */
export const press = (button, on) => button.setAttribute("aria-pressed", String(on));

/** The part that an event came from, by a selector. @type {(event: Event, selector: string) => HTMLElement | null} */
export const origin = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

/** What has the focus where an element lies, also in a shadow root. @param {Element} element */
export const inFocus = (element) => /** @type {Document | ShadowRoot} */ (element.getRootNode()).activeElement;

/** What draws on a canvas. @param {HTMLCanvasElement} canvas */
export const pen = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

/**
 * Scroll a list so that a row shows; unlike scrollIntoView it leaves the page where it is.
 * @type {(list: Element, top: number, height: number) => void}
 */
export function reveal(list, top, height) {
  list.scrollTop = clamp(list.scrollTop, top + height - list.clientHeight, top);
}

/** Put a menu below its anchor, whole within the viewer. @type {(menu: HTMLElement, anchor: Element) => void} */
export function hang(menu, anchor) {
  const { left, right } = (menu.parentElement ?? menu).getBoundingClientRect();
  const wished = right - anchor.getBoundingClientRect().right - 90;
  menu.style.right = `${clamp(wished, 8, Math.max(8, right - left - menu.offsetWidth - 8))}px`;
}

/** Tell a screen reader which row of a list is the current one. @type {(list: Element, row: Element | null) => void} */
export function point(list, row) {
  if (row) list.setAttribute("aria-activedescendant", row.id);
  else list.removeAttribute("aria-activedescendant");
}

/**
 * A slider up to 1 with its value beside it; `show` moves it.
 * @param {string} text @param {string} says @param {(value: number) => void} changed
 * @param {{ min?: number, title?: string }} options
 */
export function slider(text, says, changed, { min = 0, title } = {}) {
  const output = h("output.bv-value");
  const oninput = () => changed(Number(input.value));
  const input = h("input.bv-slider", { type: "range", min, max: 1, step: 0.01, "aria-label": says, oninput });
  return {
    field: h("label.bv-field", { title }, h("span", text), input, output),
    show: (/** @type {number} */ value) => {
      input.value = String(value);
      output.textContent = fixed(value);
    },
  };
}

const ICONS = {
  previous: "M10 3 5 8l5 5",
  next: "M6 3l5 5-5 5",
  list: "M2.5 4h11M2.5 8h11M2.5 12h7",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  pan: "M8 1.5v13M1.5 8h13M6 3.5l2-2 2 2M6 12.5l2 2 2-2M3.5 6l-2 2 2 2M12.5 6l2 2-2 2",
  window: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8 5h4.6M8 8h6M8 11h4.6",
  presets: "M3 4.5h10M3 11.5h10M6 2.5v4M10.5 9.5v4",
  draw: "M3 13l.8-3L10.5 3.3a1.4 1.4 0 0 1 2.2 2.2L6 12.2z",
  save: "M8 2.5v7M5 6.5l3 3 3-3M2.5 10.5v3h11v-3",
  ruler: "M1.5 10.5 10.5 1.5l4 4-9 9zM5 7l1.5 1.5M7 5l1.5 1.5M9 3l1.5 1.5",
  flip: "M8 1.5v13M5.5 4v8h-4zM10.5 4v8h4z",
  rotate: "M12.8 6A5.2 5.2 0 1 0 13.2 9.5M13 2.5V6.2H9.3",
  invert: "M2.5 2.5h11v11h-11zM2.5 13.5l11-11M9 11h3",
  labels: "M2 3v4.7L8.3 14 14 8.3 7.7 2H3a1 1 0 0 0-1 1zM5 5h.01",
  tag: "M3 6.2h10M2.6 10.2h10M6.6 2.5 5.2 13.5M10.8 2.5 9.4 13.5",
  full: "M9.5 2.5h4v4M13.5 2.5l-4.5 4.5M6.5 13.5h-4v-4M2.5 13.5l4.5-4.5",
  hit: "M3 8.5l3.3 3.3L13 4.5",
  alarm: "M4 4l8 8M12 4l-8 8",
  missed: "M8 3.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6z",
};

/** @param {string} tag @param {Record<string, string | number>} attributes @param {Element[]} children */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** An icon of 16 by 16 pixels, for the eye only. @param {keyof typeof ICONS} name */
export function icon(name) {
  const attributes = { viewBox: "0 0 16 16", class: "bv-icon", "aria-hidden": "true" };
  return svg("svg", attributes, svg("path", { d: ICONS[name] }));
}

/**
 * A sample of a box, on the dark of the image, so that every colour shows in either theme.
 * @param {Style} style @param {Layer} layer
 */
export function swatch({ colour, line }, layer = "detections") {
  const truth = layer === "truth";
  const around = { x: 3.5, y: 2.5, width: 17, height: 11, fill: "none", stroke: "#ffffff", "stroke-width": 1 };
  const box = svg("rect", {
    x: 5,
    y: 4,
    width: 14,
    height: 8,
    fill: truth ? colour : "none",
    "fill-opacity": 0.15,
    stroke: colour,
    "stroke-width": truth ? 0.75 : 1.75,
    "stroke-dasharray": { solid: "none", dashed: "3.2 2", dotted: "1.2 2", dashdot: "4 1.5 1 1.5" }[line],
  });
  const corners = { d: "M5 7V4h4M15 4h4v3M19 9v3h-4M9 12H5V9", fill: "none", stroke: colour, "stroke-width": 2 };
  const attributes = { viewBox: "0 0 24 16", class: "bv-swatch", "aria-hidden": "true" };
  const extra = { truth: [svg("path", corners)], yours: [svg("rect", around)], detections: [] }[layer];
  return svg("svg", attributes, box, ...extra);
}
