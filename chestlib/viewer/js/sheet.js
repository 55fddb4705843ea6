// The reader's sheet: what to name and to commit, and how it went.

import { froc } from "./chart.js";
import { h, press, slider } from "./dom.js";
import { summed, traced } from "./froc.js";
import { FINDING_KEYS, hint } from "./keys.js";
import { fixed } from "./numbers.js";

/** @import { Commands } from "./commands.js" */
/** @import { Editor } from "./editor.js" */
/** @import { Source, Study } from "./study.js" */
/** @import { Marked } from "./types.d.ts" */

const INKS = [
  { colour: "var(--bv-text)", dash: "none" },
  { colour: "#d07a00", dash: "5 3" },
  { colour: "#3a8fd0", dash: "1.5 3" },
];

/** Before a film is committed the tools, after it the verdict; below them the figures over all films that were read. */
export class Sheet {
  #progress = h("div.bv-heading");
  #says = h("div.bv-says");
  #sure;
  /** @type {HTMLElement[]} */ #names;
  #remove;
  #commit = h("button.bv-main", {
    type: "button",
    "aria-keyshortcuts": "Enter",
    onclick: () => this.commands.commit(),
  });
  #tools;
  #film = h("div.bv-result", { role: "table", "aria-label": "This film" });
  #next = h("button.bv-main", { type: "button", onclick: () => this.commands.commit() });
  #verdict = h("div.bv-section", this.#film, this.#next);
  #heading = h("div.bv-heading");
  #films = h("div.bv-result", { role: "table", "aria-label": "All films read" });
  #chart = h("div");
  #clear;
  #totals;
  #drawn = "";
  #cleared = false;

  /** @param {Study} study @param {Editor} editor @param {Commands} commands */
  constructor(study, editor, commands) {
    this.study = study;
    this.editor = editor;
    this.commands = commands;
    this.#sure = slider("Sure", "How sure", (value) => editor.setSure(value), {
      min: 0.05,
      title: "How sure ([ and ])",
    });
    this.#names = study.findings.map(({ name, colour }, i) => {
      const key = FINDING_KEYS[i] ?? "";
      return h(
        "button.bv-toggle",
        { type: "button", title: name, "aria-keyshortcuts": key || null, onclick: () => editor.name(i + 1) },
        h("i.bv-dot", { style: `--dot: ${colour}` }),
        h("span.bv-text", name),
        ...(key ? [h("span.bv-key", key.toUpperCase())] : []),
      );
    });
    /** @type {(text: string, key: keyof Commands, shortcut: string, title: string) => HTMLButtonElement} */
    const button = (text, command, key, title) =>
      h(
        "button.bv-choice",
        { type: "button", title, "aria-keyshortcuts": key || null, onclick: () => commands[command]() },
        text,
      );
    this.#remove = button("Delete", "remove", "Delete", "Delete the selected box (Del)");
    this.#tools = h(
      "div.bv-section",
      h("div.bv-names", { role: "group", "aria-label": "Finding of the box" }, ...this.#names),
      this.#sure.field,
      h("div.bv-choices", button("New box", "newBox", "n", `A box in the middle (${hint("n")})`), this.#remove),
      this.#commit,
    );
    this.#clear = h("button.bv-choice", { type: "button", onclick: () => this.#clearAll() });
    const kept = study.get("_kept") ?? "Python has them as viewer.readings().";
    this.#totals = h(
      "div.bv-section",
      this.#heading,
      this.#films,
      this.#chart,
      h("div.bv-choices", button("Export JSON", "exportReading", "", "For chestlib evaluate TRUTH FILE"), this.#clear),
      h("div.bv-says", kept),
    );
    this.element = h(
      "div.bv-sheet",
      h("div.bv-section", this.#progress, this.#says),
      this.#tools,
      this.#verdict,
      this.#totals,
    );
  }

  /** What went wrong, or what comes next. @param {string} text */
  tell(text) {
    this.#says.textContent = text;
  }

  #clearAll() {
    if (this.#cleared) this.commands.clear();
    this.#cleared = !this.#cleared;
    this.refresh();
  }

  refresh() {
    const { study } = this;
    const { index, images, reading } = study;
    if (!reading) return;
    const read = reading.read;
    const open = study.open(index);
    this.#progress.textContent = `Film ${index + 1} of ${images.length} · ${read.length} read`;
    this.#tools.hidden = open;
    this.#verdict.hidden = !open;
    this.#totals.hidden = !read.length;
    if (!open) this.#refreshTools(reading.boxes(index).length);
    else if (read.length < images.length) this.#next.textContent = "Next film (Enter)";
    this.#next.hidden = read.length === images.length;
    this.#refreshFigures(read);
    this.#clear.textContent = this.#cleared ? `Erase all ${read.length}?` : "Start over";
  }

  #refreshTools(/** @type {number} */ boxes) {
    const { editor } = this;
    const shown = editor.box?.[4] ?? editor.next;
    for (const [i, button] of this.#names.entries()) press(button, i + 1 === shown);
    this.#sure.show(editor.sure);
    this.#remove.disabled = editor.chosen < 0;
    const what = boxes ? `${boxes} box${boxes === 1 ? "" : "es"}` : "“normal”";
    this.#commit.textContent = `Commit ${what} (Enter)`;
  }

  /** Those who are scored, the reader first. @returns {[name: string, source: Source][]} */
  #who() {
    const { study } = this;
    const shown = study.pair ?? (study.has.detections ? [study.detector] : []);
    return [
      ["You", "yours"],
      ...shown.map((k) => /** @type {[string, Source]} */ ([study.detectors[k] ?? "Detector", k])),
    ];
  }

  #refreshFigures(/** @type {number[]} */ read) {
    const { study } = this;
    const who = this.#who();
    const at = [study.index, study.get("iou"), study.get("threshold"), who, read];
    const by = JSON.stringify(at);
    if (by === this.#drawn) return; // asked at every move of a hand
    this.#drawn = by;
    this.#cleared = false;
    if (!read.length) return;
    const all = who.map(([name, source]) => ({ name, source, films: study.marked(source) }));
    const place = read.indexOf(study.index);
    this.#fill(this.#film, ["hits", "false", "missed", "IoU"], place < 0 ? [] : all, (films, source) => {
      const sum = summed([films[place]], study.least(source));
      return [sum.hits, sum.alarms, sum.boxes - sum.hits, sum.hits ? fixed(sum.iou) : "–"];
    });
    this.#heading.textContent = `${read.length} film${read.length === 1 ? "" : "s"} read`;
    this.#fill(this.#films, ["recall", "false/film", "IoU"], all, (films, source) => {
      const sum = summed(films, study.least(source));
      return [sum.boxes ? fixed(sum.recall) : "–", fixed(sum.rate), sum.hits ? fixed(sum.iou) : "–"];
    });
    const boxes = all[0].films.some((film) => film.boxes);
    const curves = all.map(({ name, source, films }, i) => {
      const sum = summed(films, study.least(source));
      return { name, ...INKS[i % INKS.length], points: traced(films), at: { x: sum.rate, y: sum.recall } };
    });
    this.#chart.replaceChildren(boxes ? froc(curves) : "");
  }

  /**
   * @param {Element} table @param {string[]} heads @param {{ name: string, source: Source, films: Marked[] }[]} rows
   * @param {(films: Marked[], source: Source) => (string | number)[]} figures
   */
  #fill(table, heads, rows, figures) {
    /** @type {(first: Node | string, cells: (string | number)[], role: string) => Node} */
    const row = (first, cells, role) =>
      h(
        "div.bv-line",
        { role: "row" },
        h("span.bv-text", { role: "rowheader" }, first),
        ...cells.map((cell) => h("span.bv-number", { role }, String(cell))),
      );
    table.setAttribute("style", `--columns: ${heads.length}`);
    table.replaceChildren(
      row("", heads, "columnheader"),
      ...rows.map(({ name, source, films }, i) => {
        const ink = INKS[i % INKS.length].colour;
        return row(
          h("span", { title: name }, h("i.bv-dot", { style: `--dot: ${ink}` }), ` ${name}`),
          figures(films, source),
          "cell",
        );
      }),
    );
  }
}
