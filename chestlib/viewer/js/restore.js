// The present view as data, in a link or a line of Python, and shown again.

import { h } from "./dom.js";
import { clamp } from "./numbers.js";

/** @import { Traits, ViewData } from "./types.d.ts" */
/** @import { Viewer } from "./viewer.js" */

const FORM = 1; // chestlib/viewer/films.py

const short = (/** @type {number} */ value) => Math.round(1e4 * value) / 1e4;
/** @typedef {(value: unknown) => boolean} Rule */
/** @type {(low: number, high: number) => Rule} */
const within = (low, high) => (value) => typeof value === "number" && value >= low && value <= high;
const share = within(0, 1);
/** @type {Rule} */
const flag = (value) => typeof value === "boolean";
const pixel = within(-1e9, 1e9);

/** What the values of a view may be. What a view lacks, as one of an older viewer may, is as at first. @type {Record<string, Record<string, Rule>>} */
const RULES = {
  zoom: { scale: within(1e-9, 1e9), x: pixel, y: pixel },
  turn: { flipped: flag, degrees: (value) => [0, 90, 180, 270].includes(/** @type {number} */ (value)) },
  grey: { level: share, width: share, inverted: flag },
  settings: { threshold: share, iou: share, heat_opacity: share },
};

/** The first value of a view that no viewer has written; empty: all are sound. @param {Record<string, any>} view */
function flawed(view) {
  for (const [part, rules] of Object.entries(RULES)) {
    const values = view[part] ?? {};
    if (typeof values !== "object") return part;
    const name = Object.keys(rules).find((name) => values[name] !== undefined && !rules[name](values[name]));
    if (name) return `${part}.${name}`;
  }
  return "";
}

/** Takes down what a viewer shows, and brings it back. */
export class Restorer {
  /** The place to zoom to when the picture is there. @type {ViewData["zoom"]?} */ #due = null;
  #film = -1;
  #begun = false;
  note = h("div.bv-note");

  constructor(/** @type {Viewer} */ viewer) {
    this.viewer = viewer;
    this.#tell("");
  }

  /** What is wrong with a view, below the viewer; an empty text: what Python says there. @param {string} text */
  #tell(text) {
    const { study } = this.viewer;
    this.note.textContent = text || study.note;
    this.note.hidden = !this.note.textContent;
    if (text) this.viewer.announce(text);
  }

  /** With the view that Python asks for, if it does; a second cell does not take back a reader who has gone on. */
  begin() {
    const { study } = this.viewer;
    const view = study.get("view") ?? {};
    const late = !this.#begun && view.version === FORM && ![-1, study.index].includes(this.#place(view));
    this.#begun = true;
    if (Object.keys(view).length && !late) this.show(view);
  }

  /** @returns {ViewData} */
  get now() {
    const { grey, list, study } = this.viewer;
    const { index, image } = study;
    const { level, width, inverted } = grey;
    const names = /** @type {(keyof Traits)[]} */ (["threshold", "iou", "hidden", "colour", "layers"]);
    if (study.heat) names.push("heat_opacity");
    if (study.detectors.length) names.push("detector", "against");
    const zoom = this.#zoomed;
    const { turned, lies } = this.viewer.view;
    return {
      version: FORM,
      film: image.name,
      number: index,
      ...(zoom ? { zoom } : {}),
      ...(lies ? { turn: turned } : {}),
      grey: { level: short(level), width: short(width), inverted },
      list: list.filter,
      settings: /** @type {Partial<Traits>} */ (Object.fromEntries(names.map((name) => [name, study.get(name)]))),
    };
  }

  /** Scale, and the original pixel in the middle; none where the film is shown whole. */
  get #zoomed() {
    const { view } = this.viewer;
    const { size, width, height, scale, fits } = view;
    if (!size || !width || fits) return null;
    const { x, y } = view.original({ x: width / 2, y: height / 2 });
    return { scale: short(scale), x: short(x), y: short(y) };
  }

  /**
   * Show a view again. A finding or detector that is not here is left out; of a view that is broken only the film is
   * shown, and one line tells why.
   * @param {unknown} data
   */
  show(data) {
    const { viewer } = this;
    const { commands, grey, list } = viewer;
    const view = /** @type {Partial<ViewData>} */ (data && typeof data === "object" ? data : {});
    if (view.version !== FORM) {
      const of = view.version === undefined ? "without a version" : `of version ${String(view.version).slice(0, 20)}`;
      return this.#tell(`The view is ${of}; this viewer reads version ${FORM}, so it is not shown.`);
    }
    const index = this.#place(view);
    if (index < 0) {
      const film = String(view.film ?? "").slice(0, 80);
      return this.#tell(`The view is of ${film || "no film"}, which is not among the films here.`);
    }
    const flaw = flawed(view);
    this.#tell(flaw && `The view is broken (${flaw}), so only its film is shown.`);
    if (!flaw) {
      this.#set(view.settings ?? {});
      list.restore(view.list ?? {});
    }
    viewer.go(index);
    commands.reset();
    this.#film = index;
    this.#due = (!flaw && view.zoom) || null;
    if (flaw) return;
    const { inverted, ...levels } = view.grey ?? {};
    grey.set(levels);
    if (inverted) grey.invert();
    const { flipped, degrees = 0 } = view.turn ?? {};
    if (flipped) viewer.view.flip();
    for (let by = 0; by < degrees; by += 90) viewer.view.rotate();
    this.settle();
  }

  /** Its film's place, by number where several have its name; -1: not here. @param {Partial<ViewData>} view */
  #place({ film, number }) {
    const { images } = this.viewer.study;
    const at = images.findIndex(({ name }, i) => name === film && i === number);
    return at < 0 ? images.findIndex(({ name }) => name === film) : at;
  }

  #set(/** @type {Partial<Traits>} */ wanted) {
    const { study } = this.viewer;
    const { findings, detectors, model } = study;
    for (const name of /** @type {const} */ (["threshold", "iou", "heat_opacity"])) {
      const value = wanted[name];
      if (value !== undefined) model.set(name, value);
    }
    /** @type {<T>(value: unknown, known: T[]) => T[] | null} */
    const known = (value, all) => (Array.isArray(value) ? all.filter((one) => value.includes(one)) : null);
    const hidden = known(
      wanted.hidden,
      findings.map(({ name }) => name),
    );
    if (hidden) model.set("hidden", hidden);
    const layers = known(wanted.layers, /** @type {Traits["layers"]} */ (["truth", "detections", "yours"]));
    if (layers) model.set("layers", layers);
    const [colour] =
      known([wanted.colour], /** @type {Traits["colour"][]} */ (["finding", "match", "difference"])) ?? [];
    if (colour) model.set("colour", colour);
    for (const name of /** @type {const} */ (["detector", "against"])) {
      const value = wanted[name];
      if (value !== undefined && detectors.includes(value)) model.set(name, value);
    }
    model.save_changes();
  }

  /** Zoom, once the picture is there and the stage has a size. */
  settle() {
    const { study, view } = this.viewer;
    if (!this.#due) return;
    if (study.index !== this.#film) this.#due = null;
    else if (view.size && view.width) {
      const { scale, x, y } = this.#due;
      this.#due = null;
      if (![scale, x, y].every(Number.isFinite)) return; // one is missing
      view.fit();
      view.zoom(scale / view.scale);
      const { left, top } = view.place([x, y, x, y, 0]);
      view.pan(view.width / 2 - left, view.height / 2 - top);
    }
  }
}

/** In an address: nothing in it that a mail program cuts. @param {unknown} data */
export function coded(data) {
  const bytes = new TextEncoder().encode(JSON.stringify(data));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The number of the viewer and the view in an address; null: none. @param {string} hash @returns {{ viewer: number, data: unknown }?} */
export function linked(hash) {
  if (!hash.startsWith("#view=")) return null;
  const [number, text = ""] = hash.slice(6).split(".");
  const viewer = clamp(Number.parseInt(number, 10) || 0, 0, 1e6);
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return { viewer, data: JSON.parse(new TextDecoder().decode(bytes)) };
  } catch {
    return { viewer, data: null };
  }
}

/** As Python writes it. @param {unknown} value @returns {string} */
export function inPython(value) {
  if (Array.isArray(value)) return `[${value.map(inPython).join(", ")}]`;
  if (value && typeof value === "object") {
    const items = Object.entries(value).map(([name, item]) => `${inPython(name)}: ${inPython(item)}`);
    return `{${items.join(", ")}}`;
  }
  if (typeof value === "boolean") return value ? "True" : "False";
  return value === null ? "None" : JSON.stringify(value);
}
