// The help: a dialog with every key.

import { h, icon } from "./dom.js";
import { KEYS } from "./keys.js";

/** @import { Study } from "./study.js" */

/** Lies over the whole viewer; `toggled` hears when it opens or closes. */
export class Help {
  #close = h(
    "button.bv-button",
    { type: "button", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.toggle() },
    icon("alarm"),
  );

  /** @param {Study} study @param {(open: boolean) => void} toggled */
  constructor(study, toggled) {
    this.toggled = toggled;
    const used = (/** @type {string?} */ command) =>
      command === "heat" ? study.heat : command !== "otherDetector" || study.detectors.length > 1;
    const titles = Object.entries(KEYS).filter(([title]) => title !== "Reading" || study.reading);
    const groups = titles.map(([title, keys]) =>
      h(
        "div.bv-keygroup",
        h("div.bv-heading", title),
        ...keys
          .filter(([, , , command]) => used(command))
          .map(([, shown, says]) => h("div.bv-keyline", h("span", h("span.bv-key", shown)), h("span", says))),
      ),
    );
    this.element = h(
      "div.bv-overlay",
      { hidden: "", onclick: (event) => event.target === event.currentTarget && this.toggle() },
      h(
        "div.bv-help",
        { role: "dialog", "aria-modal": "true", "aria-label": "Keys" },
        h("div.bv-help-title", h("strong", "Keys"), this.#close),
        h("div.bv-keys", ...groups),
        h(
          "div.bv-help-foot",
          "Drag pans, or sets width (sideways) and level (up and down) with W or the right button. ",
          "Wheel and pinch zoom to the pointer. A click selects a box; click again for the one beneath.",
          study.reading
            ? " Reading: drag around each finding. Of the selected box drag an edge or the inside; the arrows do it too, by finer steps the closer you look. Esc lets go of it."
            : "",
        ),
      ),
    );
  }

  get open() {
    return !this.element.hidden;
  }

  toggle() {
    this.element.hidden = !this.element.hidden;
    this.toggled(this.open);
    if (this.open) this.#close.focus({ preventScroll: true });
  }
}
