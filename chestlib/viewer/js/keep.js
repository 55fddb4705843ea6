// What outlives a page: readings in the browser's store, and files that the reader saves.

import { areTags } from "./tags.js";

/** @import { Film, Traits } from "./types.d.ts" */
/** @import { StaticModel } from "./static_model.js" */

const VERSION = 1;

/** Hand a file to the reader. @param {string} name @param {Blob} blob */
export function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Readings of these films under a name of their own: another sitting, or another truth, has another. @param {Traits} state */
function nameOf({ _study: { images, findings } }) {
  const text = JSON.stringify([findings.map(({ name }) => name), images.map(({ name, truth }) => [name, truth])]);
  return `chestlib reading ${summed48(text)}`;
}

/** A sum of a text that tells texts apart. @param {string} text */
function summed48(text) {
  let sum = 5381n;
  for (let i = 0; i < text.length; i++) sum = (sum * 33n + BigInt(text.charCodeAt(i))) & 0xffffffffffffn;
  return sum.toString(16);
}

/** Is this a film as `Reading` keeps it? @type {(film: Film, findings: number) => boolean} */
const sound = (film, findings) =>
  typeof film?.done === "boolean" &&
  Array.isArray(film.boxes) &&
  film.boxes.every(
    (box) =>
      Array.isArray(box) &&
      box.length === 6 &&
      box.every(Number.isFinite) &&
      box[0] < box[2] &&
      box[1] < box[3] &&
      box[4] >= (film.done ? 1 : 0) &&
      box[4] <= findings &&
      box[5] >= 0 &&
      box[5] <= 1,
  );

/** What was kept, if it is of this version and whole; else an empty text says nothing, or why not. @type {(text: string | null, state: Traits) => [films: Record<string, Film>, says: string]} */
function kept(text, state) {
  if (!text) return [{}, ""];
  const left = " An earlier reading was of another version and is left out.";
  try {
    const { version, films } = JSON.parse(text);
    const { images, findings } = state._study;
    const good = Object.entries(films).every(([i, film]) => images[Number(i)] && sound(film, findings.length));
    return version === VERSION && good ? [films, ""] : [{}, left];
  } catch {
    return [{}, left];
  }
}

/** Begin with the reading that the browser kept, and keep it from now on, where it may. @param {StaticModel} model */
export function keepReading(model) {
  const state = model.state;
  const name = nameOf(state);
  try {
    const [films, says] = kept(localStorage.getItem(name), state);
    state._reading = { ...state._reading, ...films };
    state._kept = `Kept in this browser.${says}`;
    model.on("change:_reading", () => {
      const text = JSON.stringify({ version: VERSION, films: state._reading });
      try {
        localStorage.setItem(name, text);
      } catch {} // full: the page still has it
    });
  } catch {
    state._kept = "Kept until this page is closed: export it before.";
  }
}

/** Begin with the tags that the browser kept for these films, and keep them from now on. @param {StaticModel} model */
export function keepTags(model) {
  const { state } = model;
  const name = `chestlib tags ${summed48(JSON.stringify(state._study.images.map((image) => image.name)))}`;
  try {
    const { version, tags } = JSON.parse(localStorage.getItem(name) ?? "{}");
    if (version === VERSION && Object.values(tags).every(areTags)) state.tags = { ...state.tags, ...tags };
  } catch {} // of another version, or no store
  model.on("change:tags", () => {
    try {
      localStorage.setItem(name, JSON.stringify({ version: VERSION, tags: state.tags }));
    } catch {} // full: the page still has them
  });
}
