// The stage: the picture, the boxes on it, and what floats above them.

import { legendOf } from "./detectors.js";
import { h, swatch } from "./dom.js";
import { Gestures } from "./gestures.js";
import { same, under } from "./items.js";
import { drawMarks } from "./marks.js";
import { drawScale, Ruler, scaleOf } from "./measure.js";
import { fixed } from "./numbers.js";
import { drawFilm, Pane, photographed } from "./panes.js";

/** @import { GreyWindow } from "./grey.js" */
/** @import { Study } from "./study.js" */
/** @import { BoxListener, Item, Picture, Point, Task, Tool, Unreadable } from "./types.d.ts" */
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
  #gauge = new Pane();
  #message = h("div.bv-message");
  #lies = h("div.bv-corner.bv-top-left.bv-lies");
  #legend = h("div.bv-corner.bv-top-right.bv-legend");
  #pointer = h("div.bv-corner.bv-bottom-left");
  #levels = h("div.bv-corner.bv-bottom-right");
  #wheel = h("div.bv-wheel");
  #tip = h("div.bv-tip", { hidden: "" });
  element = h(
    "div.bv-stage",
    { tabindex: 0, role: "application", "aria-roledescription": "image viewer" },
    this.#film.canvas,
    this.#boxes.canvas,
    this.#pencil.canvas,
    this.#gauge.canvas,
    this.#message,
    this.#lies,
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
    this.ruler = new Ruler(view);
    new Gestures(this.element, {
      tool: () => this.#inHand,
      inUse: on.inUse,
      start: (tool, at, finger) => {
        if (tool === "draw") editor.start(at, finger);
        if (tool === "ruler") this.ruler.start(at, finger);
      },
      end: (valid) => {
        editor.end(valid);
        this.ruler.end(valid);
        on.changed("refresh");
      },
      over: (at) => {
        this.hover(under(this.#items, view, at)[0] ?? null, at);
        this.element.style.cursor = this.#inHand === "draw" ? editor.cursor(at) : "";
      },
      leave: () => this.hover(null),
      drag: (tool, dx, dy, at) => {
        const measures = tool === "ruler";
        this.hover(null, tool === "draw" || measures ? null : at);
        if (tool === "draw" || measures) {
          (measures ? this.ruler : editor).drag(at);
          on.changed();
        } else if (tool === "pan") view.pan(dx, dy);
        else grey.set({ width: grey.width + dx / 400, level: grey.level + dy / 400 });
      },
      pan: (dx, dy) => view.pan(dx, dy),
      zoom: (factor, x, y) => view.zoom(factor, x, y),
      click: (at) => this.#click(at),
      doubleClick: () => view.fit(),
      refused: () => this.hint("Click the image or hold Ctrl to zoom"),
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

  /** Move what the arrows move: an end of the ruler, or the selected box. @type {(x: number, y: number, other: boolean) => void} */
  nudge(x, y, other) {
    if (this.tool !== "ruler") return this.editor.nudge(x, y, other);
    this.ruler.nudge(x, y, other);
    this.on.changed("refresh");
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  /** Another film: it lies as it is, and nothing is measured on it yet. */
  begin() {
    this.ruler.clear();
    this.view.upright();
  }

  /** What the ruler says. */
  measured() {
    return this.ruler.says(scaleOf(this.#picture));
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
    this.#legend.replaceChildren(...legendOf(this.study));
    this.#lies.textContent = this.view.lies;
    const boxes = this.study.has.boxes ? [`boxes shown: ${items.length}`] : [];
    const says = [this.study.image.name, ...boxes, this.view.lies, this.measured()];
    this.element.setAttribute("aria-label", says.filter(Boolean).join(", "));
  }

  // --- under the pointer ---

  /** A click selects a box, a click again the one beneath. @param {Point} at */
  #click(at) {
    const found = under(this.#items, this.view, at);
    const chosen = found.findIndex((item) => this.study.isSelected(item));
    this.on.selected(found[chosen + 1] ?? null);
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

  /** A word over the film, for a moment. @param {string} text */
  hint(text) {
    this.#wheel.textContent = text;
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
    const place = [picture, ratio, view.x, view.y, view.scale, view.turn];
    const warmth = study.open(study.index) ? study.get("heat_opacity") : 0;
    this.#film.draw(size, [...place, grey.painted, warmth], (context) => {
      if (picture) drawFilm(context, picture, grey, view, ratio, warmth);
    });
    this.#boxes.draw(size, [...place, this.#items, this.#hovered, editor.changes], (context) => {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      if (picture) this.#drawBoxes(context);
    });
    this.#pencil.draw(size, [...place, editor.strokes, study.get("selection"), study.index], (context) => {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      editor.draw(context);
    });
    this.#gauge.draw(size, [...place, this.ruler.strokes], (context) => {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      if (picture) drawScale(context, view, scaleOf(picture));
      if (picture) this.ruler.draw(context, scaleOf(picture));
    });
    return picture && ratio * view.scale;
  }

  /** The view as it is, film and boxes, as a PNG. @param {BlobCallback} done */
  picture(done) {
    photographed([this.#film, this.#boxes, this.#gauge], done);
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
