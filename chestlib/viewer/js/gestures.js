// Pointer and wheel: what a hand does on the stage.

import { clamp } from "./numbers.js";

/** @import { Hand, Point, Tool } from "./types.d.ts" */

const STILL = 4; // CSS pixels: a press that moves less is a click

/** Turns the pointer events of an element into drags, pinches, clicks and zooms. */
export class Gestures {
  /** Those that are down, by id. @type {Map<number, Point>} */
  #pointers = new Map();
  /** @type {{ tool: Tool, moved: number, button: number }} */ #press = { tool: "pan", moved: 0, button: -1 };

  constructor(/** @type {HTMLElement} */ element, /** @type {Hand} */ hand) {
    this.element = element;
    this.hand = hand;
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#up(event));
    element.addEventListener("pointercancel", (event) => {
      this.#pointers.delete(event.pointerId);
      hand.end(false);
    });
    element.addEventListener("pointerleave", () => hand.leave());
    element.addEventListener("dblclick", () => hand.doubleClick());
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      event.stopPropagation();
    });
  }

  #down(/** @type {PointerEvent} */ event) {
    if (event.pointerType !== "touch") this.element.focus({ preventScroll: true }); // a finger may mean to scroll
    this.element.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    const windowing = event.button === 2 || event.shiftKey;
    const tool = event.button === 1 ? "pan" : windowing ? "window" : this.hand.tool();
    this.#press = { tool, moved: 0, button: event.button };
    if (this.#pointers.size > 1) this.hand.end(false);
    else this.hand.start(tool, { x: event.offsetX, y: event.offsetY }, event.pointerType === "touch");
  }

  #move(/** @type {PointerEvent} */ event) {
    const at = { x: event.offsetX, y: event.offsetY };
    const before = this.#pointers.get(event.pointerId);
    if (!before) return this.hand.over(at);
    const [dx, dy] = [at.x - before.x, at.y - before.y];
    this.#pointers.set(event.pointerId, at);
    this.#press.moved += Math.abs(dx) + Math.abs(dy);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId);
    if (other) this.#pinch(other[1], before, at);
    else if (this.#press.moved >= STILL) this.hand.drag(this.#press.tool, dx, dy, at);
  }

  #up(/** @type {PointerEvent} */ event) {
    this.#pointers.delete(event.pointerId);
    this.hand.end(this.#press.moved >= STILL);
    if (this.#press.moved >= STILL || this.#press.button !== 0) return;
    this.element.focus({ preventScroll: true });
    this.hand.click({ x: event.offsetX, y: event.offsetY });
  }

  /** One of two fingers moves. @param {Point} other @param {Point} before @param {Point} after */
  #pinch(other, before, after) {
    const distance = (/** @type {Point} */ point) => Math.hypot(point.x - other.x, point.y - other.y);
    const factor = distance(after) / Math.max(distance(before), 1);
    this.hand.zoom(factor, (after.x + other.x) / 2, (after.y + other.y) / 2);
    this.hand.pan((after.x - before.x) / 2, (after.y - before.y) / 2);
  }

  /** Only a viewer in use takes the wheel, so that a page full of viewers still scrolls. @param {WheelEvent} event */
  #wheel(event) {
    const pinched = event.ctrlKey || event.metaKey;
    if (!pinched && !this.hand.inUse()) return this.hand.refused();
    event.preventDefault();
    const lines = event.deltaY * (event.deltaMode === 1 ? 20 : 1);
    const factor = Math.exp(-clamp(lines, -200, 200) * (pinched ? 0.01 : 0.0018));
    this.hand.zoom(factor, event.offsetX, event.offsetY);
  }
}
