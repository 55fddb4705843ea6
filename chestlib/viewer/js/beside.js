// Another film of the same patient beside the one shown, under the same zoom, turn and grey window.

import { h, inFocus } from "./dom.js";
import { Gestures } from "./gestures.js";
import { GreyWindow } from "./grey.js";
import { drawable } from "./items.js";
import { drawMarks } from "./marks.js";
import { drawFilm, Pane } from "./panes.js";
import { View } from "./view.js";

/** @import { Picture } from "./types.d.ts" */
/** @import { Viewer } from "./viewer.js" */

/** The films of each patient that is known, earliest first where all of them say their visit. */
export class Patients {
  /** @type {Map<string, { films: number[], ordered: boolean }>} */ #films = new Map();

  constructor(/** @type {Viewer["study"]["images"]} */ images) {
    this.images = images;
    /** @type {Map<string, number[]>} */
    const found = new Map();
    for (const [i, { patient }] of images.entries()) {
      const films = found.get(patient);
      if (films) films.push(i);
      else if (patient) found.set(patient, [i]);
    }
    const visit = (/** @type {number} */ i) => images[i].visit ?? -1;
    for (const [patient, films] of found) {
      const visits = new Set(films.map(visit));
      const ordered = !visits.has(-1) && visits.size === films.length;
      this.#films.set(patient, { films: ordered ? films.sort((a, b) => visit(a) - visit(b)) : films, ordered });
    }
  }

  /** Those of the patient of an image, that image among them. @param {number} i */
  of(i) {
    return this.#films.get(this.images[i].patient) ?? { films: [i], ordered: false };
  }

  /** Has any of them several? */
  get several() {
    return [...this.#films.values()].some(({ films }) => films.length > 1);
  }
}

/** The pane of that film. */
export class Beside {
  /** The film shown here, by its place; null: none. @type {number | null} */ index = null;
  open = false;
  #film = new Pane();
  #boxes = new Pane();
  #message = h("div.bv-alone");
  #caption = h("div.bv-corner.bv-top-left");
  element = h(
    "div.bv-beside",
    { tabindex: -1, role: "group", "aria-label": "Another film of this patient", hidden: "" },
    this.#film.canvas,
    this.#boxes.canvas,
    this.#message,
    this.#caption,
  );
  view = new View(() => {});
  grey = new GreyWindow(() => {});
  /** @type {unknown[]} */ #painted = [];

  constructor(/** @type {Viewer} */ viewer) {
    const { grey, stage, view } = viewer;
    this.viewer = viewer;
    this.patients = new Patients(viewer.study.images);
    const nothing = () => {};
    new Gestures(this.element, {
      tool: () => (stage.tool === "window" ? "window" : "pan"),
      inUse: () => viewer.root.contains(inFocus(viewer.root)),
      start: nothing,
      end: nothing,
      over: nothing,
      leave: nothing,
      drag: (tool, dx, dy) => {
        if (tool === "pan") view.pan(dx, dy);
        else grey.set({ width: grey.width + dx / 400, level: grey.level + dy / 400 });
      },
      pan: (dx, dy) => view.pan(dx, dy),
      zoom: (factor, x, y) => view.zoom(factor, x, y),
      click: nothing,
      doubleClick: () => view.fit(),
      refused: nothing,
    });
  }

  toggle() {
    this.open = !this.open;
    this.begin();
    return this.open;
  }

  /** The film shown has changed: beside it comes the one before it, else the one after. */
  begin() {
    this.index = null;
    if (this.open && !this.#step(-1)) this.#step(1);
    this.#show();
  }

  /** To the patient's next earlier (-1) or later (+1) film; false: there is none. @param {number} by */
  step(by) {
    const came = this.open && this.index === null ? false : this.#step(by);
    this.open = true;
    this.#show();
    return came;
  }

  #step(/** @type {number} */ by) {
    const { index } = this.viewer.study;
    const { films } = this.patients.of(index);
    const others = films.filter((i) => i === this.index || i !== index);
    const at = films.indexOf(this.index ?? index);
    const next = films[at + by] === index ? films[at + 2 * by] : films[at + by];
    if (!others.length || next === undefined) return false;
    this.index = next;
    return true;
  }

  #show() {
    const { root, study } = this.viewer;
    const { index } = this;
    this.element.hidden = !this.open;
    root.classList.toggle("bv-paired", this.open);
    this.#caption.textContent = index === null ? "" : `${study.images[index].name}\n${this.#when(index)}`;
    this.viewer.want();
  }

  /** @param {number} i */
  #when(i) {
    const { study } = this.viewer;
    const { films, ordered } = this.patients.of(study.index);
    const visit = study.images[i].visit;
    const number = visit === undefined ? "" : `follow-up ${visit}, `;
    if (!ordered) return `${number}order in time unknown`;
    return `${number}${films.indexOf(i) < films.indexOf(study.index) ? "earlier" : "later"}`;
  }

  /** What there is of this patient, in words. */
  says() {
    const { index, image } = this.viewer.study;
    if (!image.patient) return "Patient unknown: no other film to show";
    const { films } = this.patients.of(index);
    if (films.length === 1) return `Patient ${image.patient}: one film here`;
    return `Film ${films.indexOf(index) + 1} of ${films.length} of this patient`;
  }

  draw() {
    if (!this.open) return;
    const { pictures, study, view: main, grey: shown } = this.viewer;
    const { index, view, grey } = this;
    const found = index === null ? { error: this.says() } : pictures.get(index);
    const picture = found && "grey" in found ? found : null;
    this.#message.textContent = found ? ("error" in found ? found.error : "") : "Waiting for the image …";
    this.#paint(picture);
    view.follow(main);
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.element;
    const size = { width: Math.round(clientWidth * ratio), height: Math.round(clientHeight * ratio) };
    if (!size.width || !size.height) return;
    const place = [picture, ratio, view.x, view.y, view.scale, view.turn];
    this.#film.draw(size, [...place, grey.painted, shown.inverted], (context) => {
      if (picture) drawFilm(context, picture, grey, view, ratio);
    });
    const settings = ["layers", "threshold", "iou", "hidden", "colour", "detector", "_reading"];
    const state = settings.map((name) => study.get(/** @type {"layers"} */ (name)));
    this.#boxes.draw(size, [...place, ...state], (context) => {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const none = () => 0;
      if (picture && index !== null) drawMarks(context, drawable(study, index), view, none, () => false);
    });
  }

  /** Through the grey window of the film shown. @param {Picture | null} picture */
  #paint(picture) {
    const { level, width, inverted } = this.viewer.grey;
    const asked = [picture, level, width, inverted];
    if (asked.every((value, i) => value === this.#painted[i])) return;
    this.#painted = asked;
    Object.assign(this.grey, { level, width, inverted });
    this.grey.show(picture);
    this.view.show(picture);
    this.grey.paint();
  }
}
