// The strip below the toolbar: the heat map, and the other films of the patient.

import { tool } from "./bar.js";
import { h, icon, press, slider } from "./dom.js";
import { HOT } from "./pictures.js";

/** @import { Beside } from "./beside.js" */
/** @import { Commands } from "./commands.js" */
/** @import { Study } from "./study.js" */

/** There only where there is a heat map, or a patient with several films. */
export class Strip {
  #films = h("span.bv-count", { role: "status" });
  #opacity;

  /** @param {Study} study @param {Commands} commands @param {Beside} beside */
  constructor(study, commands, beside) {
    this.study = study;
    this.beside = beside;
    this.heat = tool(commands, "Heat map", "c", "heat", "Heat map");
    this.compare = tool(commands, "Another film of this patient beside it", "v", "compare", "Compare");
    this.#opacity = slider("Opacity", "Opacity of the heat map", (value) => study.set("heat_opacity", value));
    const colours = HOT.map((colour) => `rgb(${colour})`).join();
    const key = h("span.bv-hot", { "aria-hidden": "true", style: `background: linear-gradient(90deg, ${colours})` });
    const heat = study.heat
      ? [this.heat, this.#opacity.field, h("span.bv-count", "0"), key, h("span.bv-count", "1")]
      : [];
    const films = beside.patients.several
      ? [
          this.compare,
          tool(commands, "Earlier film of this patient", "<", "earlier", icon("previous")),
          tool(commands, "Later film of this patient", ">", "later", icon("next")),
          this.#films,
        ]
      : [];
    const group = (/** @type {string} */ label, /** @type {Node[]} */ parts) =>
      parts.length ? h("div.bv-group", { role: "group", "aria-label": label }, ...parts) : "";
    const empty = heat.length + films.length === 0;
    this.element = h("div.bv-strip", empty ? { hidden: "" } : {}, group("Heat map", heat), group("Patient", films));
  }

  refresh() {
    const opacity = this.study.get("heat_opacity");
    press(this.heat, opacity > 0);
    press(this.compare, this.beside.open);
    this.#opacity.show(opacity);
    this.#films.textContent = this.beside.says();
  }
}
