// The stage: the picture, the boxes on it, and what floats above them.

import { legend } from "./detectors.js";
import { h, swatch } from "./dom.js";
import { Gestures } from "./gestures.js";
import { same } from "./items.js";
import { drawMarks } from "./marks.js";
import { fixed } from "./numbers.js";
import { drawFilm, Pane, photographed } from "./panes.js";

/** @import { GreyWindow } from "./grey.js" */
/** @import { Study } from "./study.js" */
/** @import { BoxListener, Item, Outcome, Picture, Point, Task, Tool, Unreadable } from "./types.d.ts" */
/** @import { View } from "./view.js" */
/** @import { Editor } from "./editor.js" */
/** @typedef {BoxListener & { inUse: () => boolean, changed: (...tasks: Task[]) => void }} StageListener */

/** Draws one image with its boxes, and turns what a hand does there into moves, windows, hovers and selections. */
export class Stage {
  labels = true;
  /** @type {Tool} */ tool = "pan";
  #film = new Pane();
  #boxes = new Pane();
  #pencil = new Pane();
  #message = h("div.bv-message");
  #legend = h("div.bv-corner.bv-top-right.bv-legend");
  #pointer = h("div.bv-corner.bv-bottom-left");
  #levels = h("div.bv-corner.bv-bottom-right");
  #wheel = h("div.bv-wheel", "Click the image or hold Ctrl to zoom");
  #tip = h("div.bv-tip", { hidden: "" });
  element = h(
    "div.bv-stage",
    { tabindex: 0, role: "application", "aria-roledescription": "image viewer" },
    this.#film.canvas,
    this.#boxes.canvas,
    this.#pencil.canvas,
    this.#message,
    this.#legend,
    this.#pointer,
    this.#levels,
    this.#wheel,
    this.#tip,
  );
  /** @type {Item[]} */ #items = [];
  /** @type {Item | null} */ #hovered = null;
  /** @type {Picture | null} */ #picture = null;
  #wheelHint = 0;

  /** @param {Study} study @param {View} view @param {GreyWindow} grey @param {Editor} editor @param {StageListener} on */
  constructor(study, view, grey, editor, on) {
    this.study = study;
    this.editor = editor;
    this.view = view;
    this.grey = grey;
    this.on = on;
    new Gestures(this.element, {
      tool: () => this.#inHand,
      inUse: on.inUse,
      start: (tool, at, finger) => tool === "draw" && editor.start(at, finger),
      end: (valid) => {
        editor.end(valid);
        on.changed("refresh");
      },
      over: (at) => {
        this.hover(this.#hit(at)[0] ?? null, at);
        this.element.style.cursor = this.#inHand === "draw" ? editor.cursor(at) : "";
      },
      leave: () => this.hover(null),
      drag: (tool, dx, dy, at) => {
        this.hover(null, tool === "draw" ? null : at);
        if (tool === "draw") {
          editor.drag(at);
          on.changed();
        } else if (tool === "pan") view.pan(dx, dy);
        else grey.set({ width: grey.width + dx / 400, level: grey.level + dy / 400 });
      },
      pan: (dx, dy) => view.pan(dx, dy),
      zoom: (factor, x, y) => view.zoom(factor, x, y),
      click: (at) => this.#click(at),
      doubleClick: () => view.fit(),
      refused: () => this.#hintAtWheel(),
    });
  }

  /** What a drag does: nothing is drawn on a film that is committed. */
  get #inHand() {
    return this.tool === "draw" && !this.editor.active ? "pan" : this.tool;
  }

  setTool(/** @type {Tool} */ tool) {
    this.tool = tool;
    this.on.changed("refresh");
  }

  toggleLabels() {
    this.labels = !this.labels;
    this.on.changed("refresh");
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  /** Show a picture, or what is wrong with it; undefined: it has not come. */
  show(/** @type {Picture | Unreadable | undefined} */ picture) {
    this.#picture = picture && "grey" in picture ? picture : null;
    this.#message.textContent = picture ? ("error" in picture ? picture.error : "") : "Waiting for the image …";
    this.grey.show(this.#picture);
    this.view.show(this.#picture);
  }

  /** The controls around the image follow the state; `items` are the boxes to draw. @param {Item[]} items */
  refresh(items) {
    this.#items = items;
    this.element.dataset.tool = this.#inHand;
    const { width, level, inverted } = this.grey;
    this.#levels.textContent = `W ${fixed(width)}  L ${fixed(level)}${inverted ? "  inverted" : ""}`;
    this.#drawLegend();
    const boxes = this.study.has.boxes ? `, boxes shown: ${items.length}` : "";
    this.element.setAttribute("aria-label", `${this.study.image.name}${boxes}`);
  }

  #drawLegend() {
    const study = this.study;
    const difference = study.get("colour") === "difference" && study.difference(study.index);
    this.#legend.replaceChildren(...(difference ? legend(study, difference) : []));
    if (!study.coloursMatches) return;
    const counts = study.count(study.index, (box) => study.shows(box[4]));
    for (const outcome of /** @type {Outcome[]} */ (Object.keys(study.outcomes))) {
      const sample = swatch(study.outcomes[outcome], outcome === "missed" ? "truth" : "detections");
      this.#legend.append(h("span.bv-outcome", sample, study.tell(outcome, counts[outcome])));
    }
  }

  // --- under the pointer ---

  /** The boxes at a point: nearest edge first, else the smallest around it. @param {Point} at */
  #hit({ x, y }) {
    const reach = 5;
    return this.#items
      .map((item) => {
        const { left, top, right, bottom } = this.view.place(item.box);
        const inside = Math.min(x - left, right - x, y - top, bottom - y);
        const area = (right - left) * (bottom - top);
        return { item, inside, rank: Math.abs(inside) <= reach ? Math.abs(inside) : reach + area };
      })
      .filter(({ inside }) => inside >= -reach)
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
  }

  /** A click selects a box, a click again the one beneath. @param {Point} at */
  #click(at) {
    const under = this.#hit(at);
    const chosen = under.findIndex((item) => this.study.isSelected(item));
    this.on.selected(under[chosen + 1] ?? null);
  }

  /** Mark a box, and with a pointer on the stage say what is there. */
  hover(/** @type {Item | null} */ item, /** @type {Point | null} */ at = null) {
    if (item !== this.#hovered && !same(item, this.#hovered)) {
      this.#hovered = item;
      this.element.classList.toggle("bv-over", Boolean(item));
      this.on.hovered(item);
      this.on.changed();
    }
    const tip = this.#tip;
    tip.hidden = !(item && at);
    if (item && at) {
      const [title, ...lines] = this.study.describe(item);
      tip.replaceChildren(h("strong", swatch(item.style, item.layer), title), ...lines.map((line) => h("span", line)));
      const [x, y] = [at.x + 14, at.y + 14];
      tip.style.left = `${x + tip.offsetWidth > this.view.width ? at.x - tip.offsetWidth - 10 : x}px`;
      tip.style.top = `${y + tip.offsetHeight > this.view.height ? at.y - tip.offsetHeight - 10 : y}px`;
    }
    this.#pointer.textContent = at ? this.#readout(at) : "";
  }

  #readout(/** @type {Point} */ at) {
    const picture = this.#picture;
    const pixel = this.view.pixel(at);
    if (!picture || !pixel) return "";
    const column = Math.floor((pixel.x * picture.columns) / picture.width);
    const row = Math.floor((pixel.y * picture.rows) / picture.height);
    const grey = picture.grey[row * picture.columns + column] / 255;
    return `x ${pixel.x}  y ${pixel.y}  grey ${fixed(grey)}`;
  }

  #hintAtWheel() {
    this.#wheel.classList.add("bv-shown");
    clearTimeout(this.#wheelHint);
    this.#wheelHint = setTimeout(() => this.#wheel.classList.remove("bv-shown"), 1200);
  }

  // --- drawing ---

  /** All panes; returns the zoom, in pixels of the screen for one of the original, null without a picture. */
  draw() {
    const { view, grey, editor, study } = this;
    const picture = this.#picture;
    const ratio = window.devicePixelRatio || 1;
    const size = { width: Math.round(view.width * ratio), height: Math.round(view.height * ratio) };
    if (!size.width || !size.height) return null;
    const place = [picture, ratio, view.x, view.y, view.scale];
    this.#film.draw(size, [...place, grey.painted], (context) => {
      if (picture) drawFilm(context, picture, grey, view, ratio);
    });
    this.#boxes.draw(size, [...place, this.#items, this.#hovered, editor.changes], (context) => {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      if (picture) this.#drawBoxes(context);
    });
    this.#pencil.draw(size, [...place, editor.strokes, study.get("selection"), study.index], (context) => {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      editor.draw(context);
    });
    return picture && ratio * view.scale;
  }

  /** The view as it is, film and boxes, as a PNG. @param {BlobCallback} done */
  picture(done) {
    photographed([this.#film, this.#boxes], done);
  }

  #drawBoxes(/** @type {CanvasRenderingContext2D} */ context) {
    const study = this.study;
    // A truth box that was hit lies by its mark, whose label says the same.
    const withMarks = study.showsLayer(study.reading ? "yours" : "detections");
    drawMarks(
      context,
      this.#items,
      this.view,
      (item) => (study.isSelected(item) ? 2 : same(item, this.#hovered) ? 1 : 0),
      (item) => this.labels && !(item.layer === "truth" && item.outcome === "hit" && withMarks),
    );
  }
}
