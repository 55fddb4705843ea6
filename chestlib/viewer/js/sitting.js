// What keys and buttons ask for while somebody reads.

import { save } from "./keep.js";

/** @import { Viewer } from "./viewer.js" */

/** Their commands by name, to be joined to the others; all of them return false where nobody reads. */
export function sitting(/** @type {Viewer} */ viewer) {
  const { editor, stage, study } = viewer;

  const commit = () => {
    const { index, reading } = study;
    if (!reading) return false;
    if (reading.done(index)) return onwards();
    if (!editor.active) return viewer.tell("This film is not shown, so it cannot be committed: → goes on");
    const nameless = reading.boxes(index).findIndex((box) => !box[4]);
    if (nameless >= 0) {
      editor.select(nameless);
      return viewer.tell(`Box ${nameless + 1} has no finding yet: name it (keys 1 to 9, X)`);
    }
    study.model.set("selection", null);
    reading.commit(index);
    const { hit, alarm, missed } = study.count(index, () => true);
    viewer.tell([study.tell("hit", hit), study.tell("alarm", alarm), study.tell("missed", missed)].join(", "));
    stage.focus();
  };

  /** To the next film that is not read. */
  const onwards = () => {
    const { index, images, reading } = study;
    const next = images.findIndex((_, i) => i > index && !reading?.done(i));
    const first = images.findIndex((_, i) => !reading?.done(i));
    if (first < 0) return viewer.tell("All films are read");
    viewer.go(next < 0 ? first : next);
    stage.focus();
  };

  /** To the reader's next (+1) or previous (-1) box. @type {(by: number) => false | void} */
  const step = (by) => {
    const n = study.marks(study.index, "yours")?.length ?? 0;
    if (!editor.active || !n) return false;
    const at = editor.chosen < 0 ? (by > 0 ? -1 : 0) : editor.chosen;
    editor.select((at + by + n) % n);
    viewer.tell(`Box ${editor.chosen + 1} of ${n}: ${study.finding(editor.box?.[4] ?? 0).name}`);
  };

  return {
    draw: () => (study.reading ? stage.setTool("draw") : false),
    newBox: () => editor.add(),
    remove: () => {
      if (!editor.active) return false;
      editor.remove(); // with nothing selected the key is not the page's either
    },
    previousYours: () => step(-1),
    nextYours: () => step(1),
    commit,
    exportReading: () => {
      if (!study.reading) return false;
      save(
        "reading.json",
        new Blob([study.reading.written(study.images, study.findings, study.tags)], { type: "application/json" }),
      );
    },
    clear: () => {
      study.model.set("selection", null);
      study.reading?.clear();
    },
  };
}
