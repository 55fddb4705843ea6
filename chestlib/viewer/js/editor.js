// The reader's pencil: boxes drawn, moved and resized by hand or by keys, on a film that is not committed yet.

import { clamp } from "./numbers.js";

/** @import { Study } from "./study.js" */
/** @import { DetectionBox, Place, Point } from "./types.d.ts" */
/** @import { View } from "./view.js" */
/** @typedef {{ x: -1 | 0 | 1, y: -1 | 0 | 1 }} Grip which edges are held; neither: all of the box */
/** @typedef {{ box: DetectionBox, before: DetectionBox, grip: Grip | null, from: Point }} Draft without a grip it is new */

const REACH = { mouse: 6, finger: 18 }; // CSS pixels around an edge
const STRIDE = 6; // CSS pixels a key press moves a box: a closer look moves it by less
const SURE = 0.7; // of a box that nobody said more of

/** Changes the boxes of the reading, always within the film; `announce` tells a screen reader, and the eye. */
export class Editor {
  /** What the next boxes show; 0: to be said of each. */ next = 0;
  /** How often a box that was there was changed, and how often any was: who draws them asks. */
  changes = 0;
  strokes = 0;
  #sure = SURE;
  /** @type {Draft | null} */ #draft = null;

  /** @param {Study} study @param {View} view @param {(text: string) => void} announce */
  constructor(study, view, announce) {
    this.study = study;
    this.view = view;
    this.announce = announce;
  }

  /** May boxes be drawn on the film shown? */
  get active() {
    return !this.study.open(this.study.index) && this.view.size !== null;
  }

  /** The place of the box that is selected among the reader's; -1: none. */
  get chosen() {
    const selection = this.study.get("selection");
    return this.active && selection?.layer === "yours" && this.#boxes[selection.box] ? selection.box : -1;
  }

  /** The box that is selected. @returns {DetectionBox | undefined} */
  get box() {
    return this.#boxes[this.chosen];
  }

  get #boxes() {
    return this.study.marks(this.study.index, "yours") ?? [];
  }

  /** How sure of the selected box, or of the next. */
  get sure() {
    return this.box?.[5] ?? this.#sure;
  }

  select(/** @type {number} */ i) {
    this.study.set("selection", i < 0 ? null : { layer: "yours", box: i });
  }

  // --- by hand ---

  /** What of the selected box lies under a point of the stage. @type {(at: Point, finger?: boolean) => Grip | null} */
  grip({ x, y }, finger = false) {
    if (!this.box) return null;
    const reach = finger ? REACH.finger : REACH.mouse;
    const { left, top, right, bottom } = this.view.place(this.box);
    if (x < left - reach || x > right + reach || y < top - reach || y > bottom + reach) return null;
    /** The nearer end, if it is near and the middle stays free. @type {(at: number, low: number, high: number) => -1 | 0 | 1} */
    const end = (at, low, high) => {
      const near = Math.min(reach, Math.max(2, (high - low) / 3));
      if (Math.min(Math.abs(at - low), Math.abs(at - high)) > near && at > low && at < high) return 0;
      return Math.abs(at - low) < Math.abs(at - high) ? -1 : 1;
    };
    return { x: end(x, left, right), y: end(y, top, bottom) };
  }

  /** Edges on the stage as edges of the film, which may be flipped or turned. @param {Grip | null} grip */
  #onFilm(grip) {
    const [x, y] = grip ? this.view.back(grip.x, grip.y) : [];
    return grip && /** @type {Grip} */ ({ x, y });
  }

  /** The pointer that tells what a press would do here. @param {Point} at */
  cursor(at) {
    const grip = this.grip(at);
    if (!grip) return "crosshair";
    if (!grip.x && !grip.y) return "move";
    return grip.x && grip.y ? (grip.x === grip.y ? "nwse-resize" : "nesw-resize") : grip.x ? "ew-resize" : "ns-resize";
  }

  start(/** @type {Point} */ at, /** @type {boolean} */ finger) {
    if (!this.active) return;
    const from = this.view.original(at);
    const grip = this.#onFilm(this.grip(at, finger));
    const box = grip && this.box;
    /** @type {DetectionBox} */
    const fresh = [from.x, from.y, from.x, from.y, this.next, this.#sure];
    this.#draft = { box: box || fresh, before: [...(box || fresh)], grip, from };
  }

  drag(/** @type {Point} */ at) {
    if (!this.#draft) return;
    const { box, before, grip, from } = this.#draft;
    const to = this.view.original(at);
    if (!grip) return this.#put(box, [from.x, from.y, to.x, to.y]);
    this.#change(box, before, grip, to.x - from.x, to.y - from.y);
  }

  /** The press has ended; a click, or a second finger, leaves everything as it was. @param {boolean} valid */
  end(valid) {
    const draft = this.#draft;
    this.#draft = null;
    this.strokes += 1;
    this.changes += 1;
    if (!draft || !this.study.reading) return;
    const { box, before, grip } = draft;
    if (!valid) return void box.splice(0, 4, ...before.slice(0, 4));
    this.#settle(box);
    if (grip) return this.study.reading.save();
    if (box[2] - box[0] < 1 || box[3] - box[1] < 1)
      return this.announce("No box there: it would have no area on the film");
    this.#add(box);
  }

  // --- by keys ---

  /** A box in the middle of what is in sight. */
  add() {
    if (!this.active) return false;
    const { width, height } = this.view;
    const middle = this.view.original({ x: width / 2, y: height / 2 });
    const half = Math.min(width, height) / this.view.scale / 8;
    /** @type {DetectionBox} */
    const box = [0, 0, 0, 0, this.next, this.#sure];
    this.#put(box, [middle.x - half, middle.y - half, middle.x + half, middle.y + half]);
    this.#settle(box);
    if (box[2] <= box[0] || box[3] <= box[1]) return this.announce("The middle of the view shows no film");
    this.#add(box);
  }

  #add(/** @type {DetectionBox} */ box) {
    const i = this.study.reading?.add(this.study.index, box) ?? -1;
    this.select(i);
    this.announce(`Box ${i + 1}. Which finding?`);
  }

  /** Move the selected box, or with `grows` its right and lower edge. @type {(x: number, y: number, grows: boolean) => void} */
  nudge(x, y, grows) {
    const box = this.box;
    if (!box) return;
    const stride = Math.max(1, Math.round(STRIDE / this.view.scale));
    const grip = this.#onFilm({ x: grows ? 1 : 0, y: grows ? 1 : 0 });
    if (grip) this.#change(box, [...box], grip, ...this.view.back(x * stride, y * stride));
    this.#settle(box);
    this.study.reading?.save();
  }

  /** Say what the selected box shows, or the next boxes; again: not said. @param {number} finding */
  name(finding) {
    const box = this.box;
    if (box) box[4] = finding;
    else this.next = this.next === finding ? 0 : finding;
    if (box) this.study.reading?.save();
    const name = this.study.finding(box ? finding : this.next).name;
    this.announce(box ? name : `The next boxes: ${name}`);
  }

  setSure(/** @type {number} */ value) {
    const sure = Math.round(100 * clamp(value, 0.05, 1)) / 100;
    this.#sure = sure;
    if (this.box) this.box[5] = sure;
    if (this.box) this.study.reading?.save();
    this.announce(`sure ${Math.round(100 * sure)} %`);
  }

  remove() {
    const { chosen } = this;
    if (chosen < 0) return;
    this.study.reading?.remove(this.study.index, chosen);
    this.select(-1);
    this.announce("Box deleted");
  }

  // --- the arithmetic ---

  /** @type {(box: DetectionBox, before: DetectionBox, grip: Grip, dx: number, dy: number) => void} */
  #change(box, before, grip, dx, dy) {
    const size = this.view.size;
    if (!size) return;
    const [x1, y1, x2, y2] = before;
    if (!grip.x && !grip.y) {
      const [x, y] = [clamp(dx, -x1, size.width - x2), clamp(dy, -y1, size.height - y2)];
      return this.#put(box, [x1 + x, y1 + y, x2 + x, y2 + y]);
    }
    this.#put(box, [
      grip.x < 0 ? Math.min(x1 + dx, x2 - 1) : x1,
      grip.y < 0 ? Math.min(y1 + dy, y2 - 1) : y1,
      grip.x > 0 ? Math.max(x2 + dx, x1 + 1) : x2,
      grip.y > 0 ? Math.max(y2 + dy, y1 + 1) : y2,
    ]);
  }

  /** Two corners, in any order, made a box on the film. @param {DetectionBox} box @param {number[]} corners */
  #put(box, [ax, ay, bx, by]) {
    this.strokes += 1;
    if (!this.#draft || this.#draft.grip) this.changes += 1;
    const { width = 0, height = 0 } = this.view.size ?? {};
    const [x1, x2] = [clamp(Math.min(ax, bx), 0, width), clamp(Math.max(ax, bx), 0, width)];
    const [y1, y2] = [clamp(Math.min(ay, by), 0, height), clamp(Math.max(ay, by), 0, height)];
    box.splice(0, 4, x1, y1, x2, y2);
  }

  /** To whole pixels. @param {DetectionBox} box */
  #settle(box) {
    box.splice(0, 4, ...box.slice(0, 4).map(Math.round));
  }

  /** The new box while it is drawn, and the handles of the selected one. @param {CanvasRenderingContext2D} context */
  draw(context) {
    if (!this.active) return;
    const draft = this.#draft;
    if (draft && !draft.grip) this.#outline(context, this.view.place(draft.box));
    if (this.box) this.#handles(context, this.view.place(this.box));
  }

  /** @type {(context: CanvasRenderingContext2D, place: Place) => void} */
  #outline(context, { left, top, right, bottom }) {
    Object.assign(context, { strokeStyle: "#ffffff", lineWidth: 1.5 });
    context.setLineDash([5, 4]);
    context.strokeRect(left, top, right - left, bottom - top);
    context.setLineDash([]);
  }

  /** @type {(context: CanvasRenderingContext2D, place: Place) => void} */
  #handles(context, { left, top, right, bottom }) {
    const [middle, centre] = [(left + right) / 2, (top + bottom) / 2];
    Object.assign(context, { fillStyle: "#ffffff", strokeStyle: "#0b0e12", lineWidth: 1 });
    context.setLineDash([]);
    for (const x of [left, middle, right])
      for (const y of [top, centre, bottom]) {
        if (x === middle && y === centre) continue;
        context.fillRect(x - 3.5, y - 3.5, 7, 7);
        context.strokeRect(x - 3.5, y - 3.5, 7, 7);
      }
  }
}
