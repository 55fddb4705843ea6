// The image list alone, in a document of its own that only remembers who listens: when are the images looked through?

import assert from "node:assert/strict";
import { test } from "node:test";
import { ImageList } from "../../chestlib/viewer/js/list.js";

/** @type {any[]} */
const elements = [];
const element = () => {
  const listeners = {};
  const made = { attributes: {}, listeners, value: "" };
  made.setAttribute = (name, value) => Object.assign(made.attributes, { [name]: value });
  made.addEventListener = (name, does) => Object.assign(listeners, { [name]: does });
  made.append = made.replaceChildren = () => {};
  elements.push(made);
  return made;
};
globalThis.document = /** @type {any} */ ({ createElement: element });

test("images are looked through when the filter or the boxes change, and at no other time", () => {
  const traits = { threshold: 0.5, iou: 0.5, hidden: [] };
  let looks = 0;
  const study = {
    images: Array.from({ length: 1000 }, () => ({ name: "one.png", patient: "" })),
    findings: [],
    detectors: [],
    reading: null,
    model: { on: () => {} },
    tags: { counts: new Map(), of: () => [] },
    has: { boxes: true, both: true },
    get: (name) => traits[name],
    count: (i) => {
      looks += 1;
      return { hit: 0, alarm: 0, missed: i % 2 };
    },
  };
  const list = new ImageList(/** @type {any} */ (study), "id", {
    chosen: () => {},
    filtered: () => list.sift(),
    scrolled: () => {},
  });
  const kinds = elements.find(({ attributes }) => attributes["aria-label"] === "Show images of this kind");
  const looked = (does) => {
    looks = 0;
    does();
    for (let move = 0; move < 100; move++) list.sift();
    return looks;
  };
  assert.equal(
    looked(() => {}),
    0,
  );
  assert.equal(list.order.length, 1000);
  assert.equal(
    looked(() => {
      kinds.value = "missed";
      kinds.listeners.change();
    }),
    1000,
  );
  assert.equal(list.order.length, 500);
  const orders = elements.find(({ attributes }) => attributes["aria-label"] === "Order of the images");
  kinds.value = "all";
  kinds.listeners.change();
  assert.equal(
    looked(() => {
      orders.value = "missed";
      orders.listeners.change();
    }),
    1000,
  );
  assert.deepEqual(list.order.slice(0, 2), [1, 3]);
  assert.equal(list.beside(1, 1), 3);
  orders.value = "given";
  orders.listeners.change();
  kinds.value = "missed";
  kinds.listeners.change();
  for (const change of [{ threshold: 0.6 }, { iou: 0.3 }, { hidden: ["Mass"] }])
    assert.equal(
      looked(() => Object.assign(traits, change)),
      1000,
    );
});
