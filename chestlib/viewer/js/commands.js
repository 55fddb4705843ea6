// What keys and buttons ask for.

import { inFocus } from "./dom.js";
import { save } from "./keep.js";
import { measuring } from "./measuring.js";
import { clamp, fixed } from "./numbers.js";
import { coded, inPython } from "./restore.js";
import { sitting } from "./sitting.js";

/** @import { Wish } from "./keys.js" */
/** @import { Layer, Traits } from "./types.d.ts" */
/** @import { Viewer } from "./viewer.js" */
/** @typedef {ReturnType<typeof commands>} Commands */

/** The commands of a viewer by name; one that returns false is not possible here and leaves its key to the page. */
export function commands(/** @type {Viewer} */ viewer) {
  const { editor, study, view, grey, stage, list } = viewer;

  const lengths = measuring(viewer);

  /** To the next (+1) or previous (-1) image that the filter lets through. @type {(by: number) => void} */
  const step = (by) => viewer.go(list.beside(study.index, by));

  const search = () => {
    if (study.images.length < 2) return false;
    if (!list.inSight) viewer.toggleList();
    list.search();
  };

  const fullScreen = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else viewer.root.requestFullscreen?.();
  };

  /** To the next (+1) or previous (-1) box, and around the end. @type {(by: number) => void} */
  const cycle = (by) => {
    const items = study.items();
    const at = items.findIndex((item) => study.isSelected(item));
    const next = at < 0 ? (by > 0 ? 0 : items.length - 1) : (at + by + items.length) % items.length;
    if (items.length) viewer.select(items[next]);
  };

  const toggleLayer = (/** @type {Layer} */ name) => {
    if (!study.has[name] || !study.open(study.index)) return false;
    study.toggleLayer(name);
    viewer.announce(`${name} ${study.showsLayer(name) ? "shown" : "hidden"}`);
  };

  const toggleColour = () => {
    if (!study.has.both || !study.open(study.index)) return false;
    /** @type {Traits["colour"][]} */
    const ways = ["finding", "match", ...(study.pair ? /** @type {const} */ (["difference"]) : [])];
    study.set("colour", ways[(ways.indexOf(study.get("colour")) + 1) % ways.length]);
  };

  /** @type {(trait: "threshold" | "iou", by: number) => false | void} */
  const nudge = (trait, by) => {
    if (trait === "threshold" && editor.active) return editor.setSure(editor.sure + 2 * by);
    if (!study.open(study.index)) return false;
    if ((trait === "threshold" && !study.has.detections) || (trait === "iou" && !study.has.both)) return false;
    study.set(trait, Math.round(100 * clamp(study.get(trait) + by, 0, 1)) / 100);
    viewer.announce(`${trait === "iou" ? "IoU" : "score"} threshold ${fixed(study.get(trait))}`);
  };

  const otherDetector = () => {
    if (!study.pair || !study.open(study.index)) return false;
    viewer.showDetector(study.get("against"));
  };

  const savePicture = () =>
    stage.picture((blob) => blob && save(`${study.image.name.replace(/[^\w.-]+/g, "_")}.png`, blob));

  /** One thing at a time: help, menu, a field, the selection. */
  const close = () => {
    const focused = inFocus(viewer.root);
    if (viewer.help.open) return viewer.help.toggle();
    if (viewer.menu.open) return viewer.menu.toggle();
    if (viewer.films.open) return viewer.films.toggle();
    if (focused?.matches("input") && viewer.root.contains(focused)) return stage.focus();
    if (study.get("selection")) return viewer.select(null);
    return stage.tool === "ruler" && lengths.ruler();
  };

  const copyView = () => {
    const view = viewer.restorer.now;
    const link = `${location.href.split("#")[0]}#view=${study.get("_place")}.${coded(view)}`;
    if (!study.linked) study.set("view", view); // so that Python has it, too
    viewer.films.hand(study.linked ? link : `BoxViewer(..., view=${inPython(view)})`);
  };

  return {
    ...sitting(viewer),
    ...lengths,
    previous: () => step(-1),
    next: () => step(1),
    first: () => viewer.go(list.order[0]),
    last: () => viewer.go(list.order.at(-1)),
    search,
    list: () => viewer.toggleList(),
    zoomIn: () => view.zoomIn(),
    zoomOut: () => view.zoomOut(),
    fit: () => view.fit(),
    actualSize: () => view.actualSize(),
    fullScreen,
    reset: () => {
      grey.reset();
      view.upright();
    },
    pan: () => stage.setTool("pan"),
    window: () => stage.setTool("window"),
    otherTool: () => stage.setTool(stage.tool === "pan" ? "window" : "pan"),
    save: savePicture,
    tag: () => viewer.films.toggle(),
    exportTags: () => save("tags.json", new Blob([study.tags.written], { type: "application/json" })),
    copyView,
    presets: () => viewer.menu.toggle(),
    invert: () => grey.invert(),
    previousBox: () => cycle(-1),
    nextBox: () => cycle(1),
    truth: () => toggleLayer("truth"),
    detections: () => toggleLayer("detections"),
    yours: () => toggleLayer("yours"),
    otherDetector,
    colour: toggleColour,
    labels: () => stage.toggleLabels(),
    thresholdDown: () => nudge("threshold", -0.05),
    thresholdUp: () => nudge("threshold", 0.05),
    iouDown: () => nudge("iou", -0.05),
    iouUp: () => nudge("iou", 0.05),
    escape: close,
    help: () => viewer.help.toggle(),
  };
}

/** Do what a key asks for; false: it is not possible here. @type {(viewer: Viewer, wish: Wish) => unknown} */
export function fulfil(viewer, { command, pan, finding, nudge, grows }) {
  const { editor, study } = viewer;
  if (nudge) return viewer.stage.nudge(...nudge, Boolean(grows));
  if (command) return viewer.commands[command]();
  if (pan) return viewer.view.pan(60 * pan[0], 60 * pan[1]);
  if (finding === undefined || !study.findings[finding]) return false;
  if (editor.active) return editor.name(finding + 1);
  viewer.toggleFinding(study.findings[finding].name);
}
