// The panel beside the image: layers, thresholds, findings, and the table of boxes.

import { Detectors } from "./detectors.js";
import { h, press, slider, swatch } from "./dom.js";
import { FINDING_KEYS } from "./keys.js";

/** @import { Study } from "./study.js" */
/** @import { Item, Layer, Style, Traits } from "./types.d.ts" */
/** @import { Commands } from "./commands.js" */

/** The settings of the boxes, as the study has them. */
export class Panel {
  /** @type {Partial<Record<Layer, Toggle>>} */ #layers = {};
  /** @type {{ trait: "threshold" | "iou", show: (value: number) => void }[]} */ #sliders = [];
  /** @type {{ by: Traits["colour"], element: Element }[]} */ #colours = [];
  /** @type {HTMLElement[]} */ #settings;
  /** @type {Toggle[]} */
  #findings;

  /**
   * @param {Study} study @param {Node} table @param {Commands} commands
   * @param {{ finding: (name: string) => void, detector: (name: string) => void }} on
   * @param {Node | string} sheet of the reader
   */
  constructor(study, table, commands, on, sheet) {
    this.study = study;
    const { has } = study;
    const sample = /** @type {Style} */ ({ colour: "#c9d3e0", line: "solid" });
    this.#findings = study.findings.map(
      (finding, i) => new Toggle(finding.name, FINDING_KEYS[i] ?? "", swatch(finding), () => on.finding(finding.name)),
    );
    if (has.truth) this.#layers.truth = new Toggle("Truth", "t", swatch(sample, "truth"), commands.truth);
    if (has.yours) this.#layers.yours = new Toggle("Yours", "y", swatch(sample, "yours"), commands.yours);
    if (has.detections) this.#layers.detections = new Toggle("Detections", "d", swatch(sample), commands.detections);
    this.detectors = study.detectors.length > 1 ? new Detectors(study, on.detector) : null;
    this.#settings = [
      h(
        "div.bv-section",
        ...Object.values(this.#layers).map(({ element }) => element),
        has.detections ? this.#slider("threshold", "Score ≥", "Least score", "[ and ]") : "",
        has.both ? this.#slider("iou", "IoU ≥", "Least IoU of a match", "{ and }") : "",
        has.both
          ? h(
              "div.bv-choices",
              { role: "group", "aria-label": "Colour by" },
              this.#colour("finding", "By finding"),
              this.#colour("match", "By match"),
              this.detectors ? this.#colour("difference", "A – B") : "",
            )
          : "",
      ),
      h(
        "div.bv-section",
        h("div.bv-heading", h("span", "Findings")),
        h("div.bv-findings", ...this.#findings.map(({ element }) => element)),
      ),
    ];
    if (this.detectors) this.#settings.unshift(this.detectors.element);
    this.element = h(
      "div.bv-panel",
      { role: "group", "aria-label": "Boxes" },
      sheet,
      ...this.#settings,
      h(
        "div",
        { class: `bv-section bv-grow${has.both ? "" : " bv-plain"}` },
        h(
          "div.bv-heading.bv-columns",
          h("span"),
          h("span", "Boxes"),
          h("span.bv-number", has.detections || has.yours ? "Score" : "Size"),
          has.both ? h("span.bv-number", "IoU") : "",
        ),
        table,
      ),
    );
  }

  /** @type {(trait: "threshold" | "iou", text: string, says: string, keys: string) => Node} */
  #slider(trait, text, says, keys) {
    const { field, show } = slider(text, says, (value) => this.study.set(trait, value), {
      title: `${says} (${keys})`,
    });
    this.#sliders.push({ trait, show });
    return field;
  }

  /** @type {(by: Traits["colour"], text: string) => Node} */
  #colour(by, text) {
    const element = h("button.bv-choice", { type: "button", onclick: () => this.study.set("colour", by) }, text);
    this.#colours.push({ by, element });
    return element;
  }

  refresh(/** @type {Item[]} */ items) {
    const study = this.study;
    for (const section of this.#settings) section.hidden = !study.open(study.index);
    this.detectors?.refresh();
    for (const name of /** @type {Layer[]} */ (Object.keys(this.#layers))) {
      this.#layers[name]?.show(study.showsLayer(name), items.filter(({ layer }) => layer === name).length || "");
    }
    for (const { trait, show } of this.#sliders) show(study.get(trait));
    for (const { by, element } of this.#colours) press(element, study.get("colour") === by);
    for (const [i, toggle] of this.#findings.entries()) this.#refreshFinding(toggle, i + 1);
  }

  #refreshFinding(/** @type {Toggle} */ toggle, /** @type {number} */ id) {
    const { has, image, index } = this.study;
    const truth = (image.truth ?? []).filter((box) => box[4] === id).length;
    const detections = this.study.detected(index).filter((box) => box[4] === id).length;
    const parts = [
      ...(has.truth ? [`${truth} in truth`] : []),
      ...(has.detections ? [`${detections} detection${detections === 1 ? "" : "s"}`] : []),
    ];
    const absent = !truth && !detections;
    toggle.show(this.study.shows(id), absent ? "" : has.both ? `${truth} · ${detections}` : truth || detections);
    toggle.describe(`${this.study.finding(id).name}: ${parts.join(", ")}`, absent);
  }
}

/** A button that switches something on and off, with a count. */
class Toggle {
  #count = h("span.bv-count");
  #key;

  /** @param {string} text @param {string} key @param {Node} sample @param {() => unknown} clicked */
  constructor(text, key, sample, clicked) {
    this.#key = key.toUpperCase();
    this.element = h(
      "button.bv-toggle",
      { type: "button", "aria-keyshortcuts": key || null, onclick: () => clicked() },
      sample,
      h("span.bv-text", text),
      this.#count,
      ...(key ? [h("span.bv-key", this.#key)] : []),
    );
  }

  show(/** @type {boolean} */ on, /** @type {number | string} */ count) {
    press(this.element, on);
    this.#count.textContent = String(count);
  }

  /** @param {string} says @param {boolean} absent nothing of it in this image */
  describe(says, absent) {
    this.element.classList.toggle("bv-absent", absent);
    this.element.title = this.#key ? `${says} (${this.#key})` : says;
    this.element.setAttribute("aria-label", this.element.title);
  }
}
