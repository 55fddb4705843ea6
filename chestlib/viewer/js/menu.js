// The menu of the grey window: histogram, presets, level and width.

import { h, hang, pen, slider } from "./dom.js";
import { PRESETS } from "./grey.js";

/** @import { GreyWindow } from "./grey.js" */

/** Floats at the right end of its anchor; `toggled` hears when it opens or closes. */
export class WindowMenu {
  #histogram = h("canvas.bv-histogram", { width: 256, height: 64, "aria-hidden": "true" });
  #level = slider("Level", "Window level", (level) => this.grey.set({ level }));
  #width = slider("Width", "Window width", (width) => this.grey.set({ width }), { min: 0.02 });

  /** @param {GreyWindow} grey @param {Element} anchor @param {(open: boolean) => void} toggled */
  constructor(grey, anchor, toggled) {
    this.grey = grey;
    this.anchor = anchor;
    this.toggled = toggled;
    const presets = PRESETS.map(([name, make]) => {
      const onclick = () => grey.histogram && grey.set(make(grey.histogram));
      return h("button.bv-choice", { type: "button", onclick }, name);
    });
    this.element = h(
      "div.bv-menu",
      { role: "dialog", "aria-label": "Grey window", hidden: "" },
      this.#histogram,
      h("div.bv-presets", ...presets),
      this.#level.field,
      this.#width.field,
    );
  }

  get open() {
    return !this.element.hidden;
  }

  toggle() {
    const menu = this.element;
    menu.hidden = !menu.hidden;
    this.toggled(this.open);
    if (!this.open) return;
    menu.querySelector("button")?.focus({ preventScroll: true });
    hang(menu, this.anchor);
  }

  refresh() {
    this.#level.show(this.grey.level);
    this.#width.show(this.grey.width);
    if (this.open) this.#drawHistogram();
  }

  /** The grey levels of the image and the ramp that the window lays over them. */
  #drawHistogram() {
    const context = pen(this.#histogram);
    const { width, height } = this.#histogram;
    const { histogram, level, width: span, inverted } = this.grey;
    context.clearRect(0, 0, width, height);
    if (!histogram) return;
    const highest = Math.max(...histogram.slice(1, 255), 1); // the ends hold collimation and burnt-in text
    context.fillStyle = "#8b98a8";
    histogram.forEach((n, value) => {
      const tall = Math.min(n / highest, 1) * (height - 4);
      context.fillRect(value, height - tall, 1, tall);
    });
    const [low, high] = [(level - span / 2) * width, (level + span / 2) * width];
    const [dark, bright] = inverted ? [2, height - 2] : [height - 2, 2];
    context.strokeStyle = "#ffffff";
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(0, dark);
    context.lineTo(low, dark);
    context.lineTo(high, bright);
    context.lineTo(width, bright);
    context.stroke();
  }
}
