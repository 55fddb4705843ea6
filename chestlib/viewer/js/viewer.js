// The viewer: its parts, and what they tell one another.

import { Bar } from "./bar.js";
import { Beside } from "./beside.js";
import { commands, fulfil } from "./commands.js";
import { h, inFocus } from "./dom.js";
import { Editor } from "./editor.js";
import { FilmMenu } from "./filmmenu.js";
import { GreyWindow } from "./grey.js";
import { Help } from "./help.js";
import { pressed } from "./keys.js";
import { ImageList } from "./list.js";
import { WindowMenu } from "./menu.js";
import { Panel } from "./panel.js";
import { Pictures } from "./pictures.js";
import { Restorer } from "./restore.js";
import { Sheet } from "./sheet.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { FOLLOWED, Study } from "./study.js";
import { BoxTable } from "./table.js";
import { View } from "./view.js";

/** @import { Handler, Item, Model, Task, Traits } from "./types.d.ts" */

/** Shows a model in a host element: one image of its study at a time, with its boxes. */
export class Viewer {
  /** @type {Set<Task>} */ #due = new Set();
  #frame = 0;
  #live = h("div.bv-live", { role: "status", "aria-live": "polite" });

  constructor(/** @type {Model} */ model, /** @type {Element} */ host) {
    const id = `bv-${Math.random().toString(36).slice(2)}`; // two views of one viewer must not share ids
    const study = new Study(model);
    const many = study.images.length > 1;
    this.model = model;
    this.study = study;
    this.view = new View(() => this.#schedule());
    this.grey = new GreyWindow(() => this.#schedule("paint", "refresh"));
    this.editor = new Editor(study, this.view, (text) => this.tell(text));
    this.stage = new Stage(study, this.view, this.grey, this.editor, {
      inUse: () => this.root.contains(inFocus(this.root)),
      changed: (...tasks) => this.#schedule(...tasks),
      hovered: (item) => this.table.hover(item),
      selected: (item) => this.select(item),
    });
    this.list = new ImageList(study, id, {
      chosen: (index) => this.go(index),
      filtered: () => this.#filtered(),
      scrolled: () => this.#schedule("rows"),
    });
    this.table = new BoxTable(study, id, {
      hovered: (item) => this.stage.hover(item),
      selected: (item) => this.select(item),
    });
    this.beside = new Beside(this);
    this.commands = commands(this);
    this.strip = new Strip(study, this.commands, this.beside);
    this.sheet = study.reading ? new Sheet(study, this.editor, this.commands) : null;
    const on = {
      finding: (/** @type {string} */ name) => this.toggleFinding(name),
      detector: (/** @type {string} */ name) => this.showDetector(name),
    };
    this.panel = new Panel(study, this.table.element, this.commands, on, this.sheet?.element ?? "");
    if (study.reading) this.stage.tool = "draw";
    this.bar = new Bar(study, this.commands);
    const toggled = (/** @type {boolean} */ open) => {
      if (!open) this.stage.focus();
      this.#schedule("refresh");
    };
    this.menu = new WindowMenu(this.grey, this.bar.presets, toggled);
    this.films = new FilmMenu(study, id, this.commands, this.bar.films, toggled);
    this.restorer = new Restorer(this);
    this.help = new Help(study, (open) => {
      this.bar.element.inert = this.body.inert = open;
      if (!open) this.stage.focus();
    });
    const films = h("div.bv-films", this.stage.element, this.beside.element);
    this.body = h("div.bv-body", many ? this.list.element : "", films, study.has.boxes ? this.panel.element : "");
    this.root = h(
      "div.bv",
      { role: "region", "aria-label": "Box viewer", "data-list": many ? "auto" : "none" },
      this.bar.element,
      this.strip.element,
      this.body,
      this.restorer.note,
      this.menu.element,
      this.films.element,
      this.help.element,
      this.#live,
    );
    this.#setHeight();
    host.append(this.root);
    // Capture on window: JupyterLab takes its shortcuts (D D deletes a cell) in the capture phase of document.
    window.addEventListener("keydown", this.#keyDown, true);
    this.resized = new ResizeObserver(() => this.#resize());
    this.resized.observe(this.stage.element);
    for (const [name, does] of this.#handlers) model.on(`change:${name}`, does);
    this.pictures = new Pictures(model, (index) => (index === study.index ? this.#showPicture() : this.#schedule()));
    this.#refresh();
    this.#showImage();
    this.restorer.begin();
  }

  close() {
    for (const [name, does] of this.#handlers) this.model.off(`change:${name}`, does);
    window.removeEventListener("keydown", this.#keyDown, true);
    this.resized.disconnect();
    this.pictures.close();
    this.list.thumbs.close();
    cancelAnimationFrame(this.#frame);
    this.root.remove();
  }

  // --- what is asked of it ---

  go(/** @type {number | undefined} */ index) {
    if (index !== undefined && index !== this.study.index) this.study.go(index);
  }

  select(/** @type {Item | null} */ item) {
    this.study.select(item);
    if (!item) return;
    this.announce(this.study.describe(item).join(", "));
    this.view.reveal(item.box);
  }

  showDetector(/** @type {string} */ name) {
    if (this.study.showDetector(name)) this.announce(`Detector ${name}`);
  }

  /** Ask for the pictures: of the film shown, that beside it, and those next to it in the list. */
  want() {
    const { index } = this.study;
    const beside = this.beside.index === null ? [] : [this.beside.index];
    this.pictures?.want([index, ...beside, ...this.list.neighbours(index)]);
    this.#schedule("refresh");
  }

  /** To the eye, in the reader's sheet, and to a screen reader. @param {string} text */
  tell(text) {
    this.sheet?.tell(text);
    this.announce(text);
  }

  toggleList() {
    this.root.dataset.list = this.list.inSight ? "closed" : "open";
    this.#schedule("rows");
  }

  /** To a screen reader. @param {string} text */
  announce(text) {
    this.#live.textContent = text;
  }

  toggleFinding(/** @type {string} */ name) {
    this.study.toggleFinding(name);
    this.announce(`${name} ${this.study.get("hidden").includes(name) ? "hidden" : "shown"}`);
  }

  #filtered() {
    this.#refresh();
    if (!this.list.order.includes(this.study.index)) this.go(this.list.order[0]);
  }

  #keyDown = (/** @type {KeyboardEvent} */ event) => {
    const [target] = event.composedPath(); // `target` is a shadow root's host
    if (!(target instanceof Element) || !this.root.contains(target)) return;
    const wish = pressed(event, this.list.holds(target), this.stage.tool === "ruler" || this.editor.chosen >= 0);
    if (!wish) return;
    // What is not possible before the commit is not the notebook's either: there M would throw the viewer away.
    const ours = this.study.reading && wish.command && wish.command !== "escape";
    if (fulfil(this, wish) === false && !ours) return;
    event.preventDefault();
    event.stopPropagation();
  };

  // --- the parts follow the state ---

  /** @type {[name: keyof Traits, does: Handler][]} */ #handlers = [
    ["index", () => this.#showImage()],
    ["height", () => this.#setHeight()],
    ["_reading", () => this.#reread()],
    ...FOLLOWED.map((name) => /** @type {[keyof Traits, Handler]} */ ([name, () => this.#schedule("refresh")])),
    ["view", () => this.restorer.begin()],
  ];

  #reread() {
    this.study.forget();
    this.#schedule("refresh");
  }

  #setHeight() {
    this.root.style.setProperty("--bv-height", `${this.model.get("height")}px`);
  }

  #resize() {
    this.view.resize(this.stage.element.clientWidth, this.stage.element.clientHeight);
    this.#schedule("rows");
  }

  #showImage() {
    this.beside.begin();
    this.stage.begin();
    this.stage.hover(null);
    this.sheet?.tell(this.study.open(this.study.index) ? "" : "Draw a box around each finding, name it, and commit.");
    this.#refresh();
    this.#showPicture();
    this.list.reveal();
  }

  #showPicture() {
    this.stage.show(this.pictures.get(this.study.index));
  }

  /** Once a frame: the tasks, and the stage drawn. @param {Task[]} tasks */
  #schedule(...tasks) {
    for (const task of tasks) this.#due.add(task);
    this.#frame ||= requestAnimationFrame(() => {
      const due = this.#due;
      this.#due = new Set();
      this.#frame = 0;
      this.restorer.settle();
      if (due.has("paint")) this.grey.paint();
      if (due.has("refresh")) this.#refresh();
      else if (due.has("rows")) this.list.draw();
      this.bar.showZoom(this.stage.draw());
      this.beside.draw();
    });
  }

  #refresh() {
    const { grey, list, menu, stage, study } = this;
    const items = study.items();
    list.sift();
    this.bar.refresh(stage, grey.inverted, menu.open, list);
    this.strip.refresh();
    if (study.has.boxes) {
      this.sheet?.refresh();
      this.panel.refresh(items);
      this.table.refresh(items);
    }
    menu.refresh();
    this.films.refresh();
    stage.refresh(items);
    list.draw();
  }
}
