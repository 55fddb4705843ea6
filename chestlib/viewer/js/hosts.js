// The two hosts: anywidget in Jupyter, and a page without a kernel.

import { keepReading, keepTags } from "./keep.js";
import { linked } from "./restore.js";
import { StaticModel } from "./static_model.js";
import { Viewer } from "./viewer.js";

/** @import { Model } from "./types.d.ts" */

/** In Jupyter: called by anywidget for each view. @param {{ model: Model, el: Element }} context */
export function render({ model, el }) {
  const viewer = new Viewer(model, el);
  return () => viewer.close();
}

const codeOf = (/** @type {string} */ character) => character.charCodeAt(0);

/**
 * In a page: `host` holds a script of type application/json with {state, pictures: [[width, height, extent if known] |
 * what is wrong], heats: by place, PNG in base64}
 * and, in the order of the images, one script of type image/jpeg each with the picture in base64, decoded when shown.
 * @param {Element} host
 */
export function mount(host) {
  const { state, pictures, heats } = JSON.parse(
    host.querySelector("script[type='application/json']")?.textContent ?? "",
  );
  const data = [...host.querySelectorAll("script[type='image/jpeg']")].map((script) => script.textContent ?? "");
  const model = new StaticModel(state, (index) => {
    const about = pictures[index];
    if (typeof about === "string") return [{ kind: "picture", index, error: about }, []];
    const bytes = [data[index], heats[index]].filter(Boolean).map((text) => Uint8Array.from(atob(text), codeOf));
    return [{ kind: "picture", index, width: about[0], height: about[1], extent: about[2] }, bytes];
  });
  if (state.read) keepReading(model);
  keepTags(model);
  state._place = [...document.querySelectorAll(".bv-static")].indexOf(host);
  for (const fallback of host.querySelectorAll(":scope > :not(script)")) fallback.remove();
  const viewer = new Viewer(model, host);
  const follow = () => {
    const link = linked(location.hash);
    if (link?.viewer !== state._place) return;
    viewer.restorer.show(link?.data);
    host.scrollIntoView();
  };
  window.addEventListener("hashchange", follow);
  follow();
  return viewer;
}
