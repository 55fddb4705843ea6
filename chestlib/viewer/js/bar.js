// The toolbar above the image.

import { h, icon, press } from "./dom.js";
import { hint } from "./keys.js";

/** @import { ImageList } from "./list.js" */
/** @import { Study } from "./study.js" */
/** @import { Tool } from "./types.d.ts" */
/** @import { Commands } from "./commands.js" */
/** @import { View } from "./view.js" */

/** A button for a command. @type {(commands: Commands, title: string, key: string?, command: keyof Commands, content: Node | string) => HTMLButtonElement} */
export const tool = (commands, title, key, command, content) =>
  h(
    "button.bv-button",
    {
      type: "button",
      title: key ? `${title} (${hint(key)})` : title,
      "aria-label": title,
      "aria-keyshortcuts": key,
      onclick: () => commands[command](),
    },
    content,
  );

/** The name of the image, the zoom, and a button for most commands. */
export class Bar {
  #position = h("span.bv-position");
  #name = h("span.bv-name");
  #patient = h("span.bv-patient");
  #zoom = h("span.bv-zoom");

  constructor(/** @type {Study} */ study, /** @type {Commands} */ commands) {
    this.study = study;
    /** @type {(title: string, key: string?, command: keyof Commands, content: Node | string) => HTMLButtonElement} */
    const button = (title, key, command, content) => tool(commands, title, key, command, content);
    /** @type {(label: string, ...content: (Node | string)[]) => Node} */
    const group = (label, ...content) => h("div.bv-group", { role: "group", "aria-label": label }, ...content);
    const buttons = {
      list: button("Image list", null, "list", icon("list")),
      previous: button("Previous image", "ArrowLeft", "previous", icon("previous")),
      next: button("Next image", "ArrowRight", "next", icon("next")),
      pan: button("Drag pans", "w", "pan", icon("pan")),
      draw: button("Drag draws boxes", "b", "draw", icon("draw")),
      window: button("Drag sets window and level", "w", "window", icon("window")),
      presets: button("Window presets", "p", "presets", icon("presets")),
      invert: button("Invert", "i", "invert", icon("invert")),
      labels: button("Labels", "l", "labels", icon("labels")),
      ruler: button("Ruler", "u", "ruler", icon("ruler")),
      flip: button("Flip", "h", "flip", icon("flip")),
      films: button("Tags and view", "#", "tag", icon("tag")),
    };
    this.buttons = buttons;
    this.element = h(
      "div.bv-bar",
      { role: "toolbar", "aria-label": "Viewer" },
      study.images.length > 1 ? group("Images", buttons.list, buttons.previous, this.#position, buttons.next) : "",
      h("div.bv-title", this.#name, this.#patient),
      group(
        "Zoom",
        button("Zoom out", "-", "zoomOut", icon("minus")),
        this.#zoom,
        button("Zoom in", "+", "zoomIn", icon("plus")),
        button("Fit the image", "0", "fit", icon("fit")),
        button("Actual size, 1:1", "z", "actualSize", "1:1"),
      ),
      group(
        "Grey levels",
        study.reading ? buttons.draw : "",
        buttons.pan,
        buttons.window,
        buttons.presets,
        buttons.invert,
      ),
      group("Measure", buttons.ruler, buttons.flip, button("Turn by 90°", "o", "rotate", icon("rotate"))),
      group(
        "More",
        buttons.labels,
        buttons.films,
        button("Save the view as PNG", "s", "save", icon("save")),
        button("Full screen", "f", "fullScreen", icon("full")),
        button("Keys", "?", "help", "?"),
      ),
    );
  }

  /** The button that the window menu belongs to. */
  get presets() {
    return this.buttons.presets;
  }

  /** The button that the menu of tags belongs to. */
  get films() {
    return this.buttons.films;
  }

  /** @param {number | null} zoom pixels of the screen for one of the original */
  showZoom(zoom) {
    this.#zoom.textContent = zoom === null ? "" : `${Math.round(100 * zoom)} %`;
  }

  /** @type {(stage: { tool: Tool, labels: boolean, view: View }, inverted: boolean, menuOpen: boolean, list: ImageList) => void} */
  refresh({ tool: inHand, labels, view }, inverted, menuOpen, list) {
    const { image, images, index } = this.study;
    const { order } = list;
    const patient = h("bdi", { title: image.patient }, image.patient);
    this.#name.replaceChildren(h("bdi", { title: image.name }, image.name));
    this.#patient.replaceChildren(...(image.patient ? ["Patient ", patient] : []));
    const buttons = this.buttons;
    press(buttons.pan, inHand === "pan");
    press(buttons.draw, inHand === "draw");
    press(buttons.window, inHand === "window");
    press(buttons.presets, menuOpen);
    press(buttons.invert, inverted);
    press(buttons.labels, labels);
    press(buttons.ruler, inHand === "ruler");
    press(buttons.flip, view.turned.flipped);
    const at = order.indexOf(index);
    const some = order.length < images.length;
    this.#position.textContent = `${at < 0 ? "–" : at + 1} / ${order.length}`;
    this.#position.title = some ? `Image ${index + 1} of ${images.length}; the filter shows ${order.length}` : "";
    buttons.previous.disabled = list.beside(index, -1) === undefined;
    buttons.next.disabled = list.beside(index, 1) === undefined;
  }
}
