// The help: a dialog with every key.

import { h, icon } from "./dom.js";
import { KEYS } from "./keys.js";

/** Lies over the whole viewer; `toggled` hears when it opens or closes. */
export class Help {
  #close = h(
    "button.bv-button",
    { type: "button", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.toggle() },
    icon("alarm"),
  );

  constructor(/** @type {(open: boolean) => void} */ toggled) {
    this.toggled = toggled;
    const groups = Object.entries(KEYS).map(([title, keys]) =>
      h(
        "div.bv-keygroup",
        h("div.bv-heading", title),
        ...keys.map(([, shown, says]) => h("div.bv-keyline", h("span", h("span.bv-key", shown)), h("span", says))),
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
