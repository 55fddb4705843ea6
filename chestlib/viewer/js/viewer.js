// The viewer: its parts, what they tell one another, and the commands of keys and buttons.

import { Bar } from "./bar.js";
import { h } from "./dom.js";
import { GreyWindow } from "./grey.js";
import { Help } from "./help.js";
import { pressed } from "./keys.js";
import { ImageList } from "./list.js";
import { WindowMenu } from "./menu.js";
import { clamp, fixed } from "./numbers.js";
import { Panel } from "./panel.js";
import { Pictures } from "./pictures.js";
import { Stage } from "./stage.js";
import { Study } from "./study.js";
import { BoxTable } from "./table.js";
import { View } from "./view.js";

/** @import { Wish } from "./keys.js" */
/** @import { Item, Layer, Model, Task, Tool, Traits } from "./types.d.ts" */

/** @typedef {Viewer["commands"]} Commands what keys and buttons ask for; one that returns false leaves the key to the page */

/** Shows a model in a host element: one image of its study at a time, with its boxes. */
export class Viewer {
  /** The boxes that may be drawn. @type {Item[]} */
  #items = [];
  /** @type {Set<Task>} */
  #due = new Set();
  /** The next frame, where one is asked for. */
  #frame = 0;
  #live = h("div.bv-live", { role: "status", "aria-live": "polite" });

  /** @param {Model} model @param {Element} host */
  constructor(model, host) {
    const id = `bv-${Math.random().toString(36).slice(2)}`; // two views of one viewer must not share ids
    const study = new Study(model);
    this.model = model;
    this.study = study;
    this.view = new View(() => this.#schedule());
    this.grey = new GreyWindow(() => this.#schedule("paint", "refresh"));
    this.stage = new Stage(study, this.view, this.grey, {
      inUse: () => this.root.contains(document.activeElement),
      changed: () => this.#schedule(),
      hovered: (item) => this.table.hover(item),
      selected: (item) => this.#select(item),
    });
    this.list = new ImageList(study, id, {
      chosen: (index) => this.#go(index),
      filtered: () => this.#filtered(),
      scrolled: () => this.#schedule("rows"),
    });
    this.table = new BoxTable(study, id, {
      hovered: (item) => this.stage.hover(item),
      selected: (item) => this.#select(item),
    });
    this.panel = new Panel(study, this.table.element, this.commands, (name) => this.#toggleFinding(name));
    this.bar = new Bar(study, this.commands);
    this.menu = new WindowMenu(this.grey, this.bar.presets, (open) => {
      if (!open) this.stage.focus();
      this.#schedule("refresh");
    });
    this.help = new Help((open) => {
      this.bar.element.inert = this.body.inert = open;
      if (!open) this.stage.focus();
    });
    this.many = study.images.length > 1;
    const panes = [this.many ? this.list.element : "", this.stage.element, study.has.boxes ? this.panel.element : ""];
    this.body = h("div.bv-body", ...panes);
    this.root = h(
      "div.bv",
      { role: "region", "aria-label": "Box viewer", "data-list": this.many ? "auto" : "none" },
      this.bar.element,
      this.body,
      h("div.bv-note", study.note ? {} : { hidden: "" }, study.note),
      this.menu.element,
      this.help.element,
      this.#live,
    );
    this.#setHeight();
    host.append(this.root);
    this.#listen();
    this.pictures = new Pictures(model, (index) => index === study.index && this.#showPicture());
    this.#refresh();
    this.#showImage();
  }

  // --- commands ---

  commands = {
    previous: () => this.#step(-1),
    next: () => this.#step(1),
    first: () => this.#go(this.list.order[0]),
    last: () => this.#go(this.list.order.at(-1)),
    search: () => this.#search(),
    list: () => this.#toggleList(),
    zoomIn: () => this.view.zoomIn(),
    zoomOut: () => this.view.zoomOut(),
    fit: () => this.view.fit(),
    actualSize: () => this.view.actualSize(),
    fullScreen: () => this.#fullScreen(),
    reset: () => {
      this.grey.reset();
      this.view.fit();
    },
    pan: () => this.#setTool("pan"),
    window: () => this.#setTool("window"),
    otherTool: () => this.#setTool(this.stage.tool === "pan" ? "window" : "pan"),
    presets: () => this.menu.toggle(),
    invert: () => this.grey.invert(),
    previousBox: () => this.#cycle(-1),
    nextBox: () => this.#cycle(1),
    truth: () => this.#toggleLayer("truth"),
    detections: () => this.#toggleLayer("detections"),
    colour: () => this.#toggleColour(),
    labels: () => {
      this.stage.labels = !this.stage.labels;
      this.#schedule("refresh");
    },
    thresholdDown: () => this.#nudge("threshold", -0.05),
    thresholdUp: () => this.#nudge("threshold", 0.05),
    iouDown: () => this.#nudge("iou", -0.05),
    iouUp: () => this.#nudge("iou", 0.05),
    escape: () => this.#escape(),
    help: () => this.help.toggle(),
  };

  /** @param {number | undefined} index */
  #go(index) {
    if (index !== undefined && index !== this.study.index) this.study.go(index);
  }

  /** To the next (+1) or previous (-1) image that the filter lets through. @param {number} by */
  #step(by) {
    this.#go(this.list.beside(this.study.index, by));
  }

  #filtered() {
    this.#refresh();
    if (!this.list.order.includes(this.study.index)) this.#go(this.list.order[0]);
  }

  #search() {
    if (!this.many) return false;
    if (!this.list.inSight) this.#toggleList();
    this.list.search();
  }

  #toggleList() {
    this.root.dataset.list = this.list.inSight ? "closed" : "open";
    this.#schedule("rows");
  }

  #fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.();
  }

  /** @param {Tool} tool */
  #setTool(tool) {
    this.stage.tool = tool;
    this.#schedule("refresh");
  }

  /** @param {Layer} name */
  #toggleLayer(name) {
    if (!this.study.has[name]) return false;
    this.study.toggleLayer(name);
    this.#announce(`${name} ${this.study.showsLayer(name) ? "shown" : "hidden"}`);
  }

  /** @param {string} name */
  #toggleFinding(name) {
    this.study.toggleFinding(name);
    this.#announce(`${name} ${this.study.get("hidden").includes(name) ? "hidden" : "shown"}`);
  }

  #toggleColour() {
    if (!this.study.has.both) return false;
    this.study.set("colour", this.study.get("colour") === "match" ? "finding" : "match");
  }

  /** @param {"threshold" | "iou"} trait @param {number} by */
  #nudge(trait, by) {
    const { study } = this;
    if (!study.has.detections || (trait === "iou" && !study.has.both)) return false;
    study.set(trait, Math.round(100 * clamp(study.get(trait) + by, 0, 1)) / 100);
    this.#announce(`${trait === "iou" ? "IoU" : "score"} threshold ${fixed(study.get(trait))}`);
  }

  /** @param {Item | null} item */
  #select(item) {
    this.study.select(item);
    if (!item) return;
    this.#announce(this.study.describe(item).join(", "));
    this.view.reveal(item.box);
  }

  /** To the next (+1) or previous (-1) box, around the end. @param {number} by */
  #cycle(by) {
    const items = this.#items;
    const at = items.findIndex((item) => this.study.isSelected(item));
    const next = at < 0 ? (by > 0 ? 0 : items.length - 1) : (at + by + items.length) % items.length;
    if (items.length) this.#select(items[next]);
  }

  #escape() {
    const focused = document.activeElement;
    if (this.help.open) return this.help.toggle();
    if (this.menu.open) return this.menu.toggle();
    if (focused?.matches("input") && this.root.contains(focused)) return this.stage.focus();
    if (!this.study.get("selection")) return false;
    this.#select(null);
  }

  /** To a screen reader. @param {string} text */
  #announce(text) {
    this.#live.textContent = text;
  }

  // --- events ---

  #listen() {
    // Capture on window: JupyterLab takes its shortcuts (D D deletes a cell) in the capture phase of document.
    window.addEventListener("keydown", this.#keyDown, true);
    this.resized = new ResizeObserver(() => {
      this.view.resize(this.stage.element.clientWidth, this.stage.element.clientHeight);
      this.#schedule("rows");
    });
    this.resized.observe(this.stage.element);
    for (const [name, does] of this.#handlers) this.model.on(`change:${name}`, does);
  }

  /** @type {[name: keyof Traits, does: () => void][]} */
  #handlers = [
    ["index", () => this.#showImage()],
    ["height", () => this.#setHeight()],
    ["threshold", () => this.#schedule("refresh")],
    ["iou", () => this.#schedule("refresh")],
    ["hidden", () => this.#schedule("refresh")],
    ["selection", () => this.#schedule("refresh")],
    ["colour", () => this.#schedule("refresh")],
    ["layers", () => this.#schedule("refresh")],
  ];

  /** @param {KeyboardEvent} event */
  #keyDown = (event) => {
    const { target } = event;
    if (!(target instanceof Element) || !this.root.contains(target)) return;
    const wish = pressed(event, this.list.holds(target));
    if (!wish || this.#fulfil(wish) === false) return;
    event.preventDefault();
    event.stopPropagation();
  };

  /** @param {Wish} wish */
  #fulfil({ command, pan, finding }) {
    if (command) return this.commands[command]();
    if (pan) return this.view.pan(60 * pan[0], 60 * pan[1]);
    if (finding === undefined || !this.study.findings[finding]) return false;
    this.#toggleFinding(this.study.findings[finding].name);
  }

  close() {
    for (const [name, does] of this.#handlers) this.model.off(`change:${name}`, does);
    window.removeEventListener("keydown", this.#keyDown, true);
    this.resized?.disconnect();
    this.pictures.close();
    cancelAnimationFrame(this.#frame);
    this.root.remove();
  }

  // --- the parts follow the state ---

  #setHeight() {
    this.root.style.setProperty("--bv-height", `${this.model.get("height")}px`);
  }

  #showImage() {
    const { index } = this.study;
    this.pictures.want([index, ...this.list.neighbours(index)]);
    this.stage.hover(null);
    this.#refresh();
    this.#showPicture();
    this.list.reveal();
  }

  #showPicture() {
    this.stage.show(this.pictures.get(this.study.index));
  }

  /** Work once a frame: "paint" the picture, "refresh" the controls, show "rows" in sight; and draw the stage. @param {Task[]} tasks */
  #schedule(...tasks) {
    for (const task of tasks) this.#due.add(task);
    this.#frame ||= requestAnimationFrame(() => {
      const due = this.#due;
      this.#due = new Set();
      this.#frame = 0;
      if (due.has("paint")) this.grey.paint();
      if (due.has("refresh")) this.#refresh();
      else if (due.has("rows")) this.list.draw();
      this.bar.showZoom(this.stage.draw());
    });
  }

  #refresh() {
    const { study, stage } = this;
    this.#items = study.items();
    this.list.sift();
    this.bar.refresh({
      tool: stage.tool,
      inverted: this.grey.inverted,
      labels: stage.labels,
      menuOpen: this.menu.open,
      order: this.list.order,
    });
    if (study.has.boxes) {
      this.panel.refresh(this.#items);
      this.table.refresh(this.#items);
    }
    this.menu.refresh();
    stage.refresh(this.#items);
    this.list.draw();
  }
}
