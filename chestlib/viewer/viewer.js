// Box viewer for chest radiographs: one image or hundreds, truth against detections.
//
// One plain ES module for two hosts. In Jupyter, anywidget calls `render({model, el})`. In a page without a kernel,
// `mount(host)` builds the same model from data embedded in the page. The model holds `_study` (below) and the traits
// index, threshold, iou, hidden, selection, colour, layers, height; a picture comes as a message when it is shown.
//
// _study = {
//   images: [{name, patient, truth: [[x1, y1, x2, y2, id]] | null, detections: [[x1, y1, x2, y2, id, score]] | null}],
//   findings: [{name, colour, line}],               // ids 1..n in this order; line is "solid" or "dashed"
//   outcomes: {hit, alarm, missed: {name, many, colour, line}},
//   note,                                           // shown below the viewer, may be empty
// }
// Boxes are pixels of the original image, whatever the size of the picture that travels; detections come best first.

const CACHED = 32; // decoded pictures kept: at most 1 MB each
const ROW = 40; // height of a row of the image list, CSS pixels
const LABELS = 30; // drawn at a time, best scores first; zooming in brings out the others
const ZOOM = { step: 1.25, max: 32 };
const WINDOW = { level: 0.5, width: 1 };
// Grey levels after the mean of lung and mediastinum patches in NIH ChestX-ray14 (.37 and .76).
const PRESETS = [
  ["Full", () => WINDOW],
  ["Auto", (picture) => spread(picture.histogram)],
  ["Lung", () => ({ level: 0.37, width: 0.6 })],
  ["Mediastinum", () => ({ level: 0.76, width: 0.42 })],
  ["Bone", () => ({ level: 0.85, width: 0.3 })],
];
const DASH = { solid: [], dashed: [7, 4], dotted: [1.5, 4] };

// --- keys: the one table behind the keyboard, the tooltips and the help ---------------------------------------------

const KEYS = [
  [
    "Images",
    [
      ["ArrowLeft", "←", "previous image", (v) => v.step(-1)],
      ["ArrowRight", "→", "next image", (v) => v.step(1)],
      ["Home", "Home", "first image", (v) => v.go(v.order[0])],
      ["End", "End", "last image", (v) => v.go(v.order.at(-1))],
      ["/", "/", "search the images", (v) => v.search()],
    ],
  ],
  [
    "View",
    [
      ["+", "+", "zoom in", (v) => v.zoom(ZOOM.step)],
      ["-", "−", "zoom out", (v) => v.zoom(1 / ZOOM.step)],
      ["0", "0", "fit the image", (v) => v.fit()],
      ["z", "Z", "actual size, 1:1", (v) => v.actualSize()],
      ["Shift+Arrow", "Shift ←↑↓→", "pan", null],
      ["f", "F", "full screen", (v) => v.fullScreen()],
      ["r", "R", "reset zoom and grey window", (v) => v.reset()],
    ],
  ],
  [
    "Grey",
    [
      ["w", "W", "drag sets the window, or pans", (v) => v.setTool(v.tool === "pan" ? "window" : "pan")],
      ["p", "P", "window presets", (v) => v.toggleWindowMenu()],
      ["i", "I", "invert", (v) => v.invert()],
    ],
  ],
  [
    "Boxes",
    [
      ["ArrowUp", "↑", "previous box", (v) => v.cycle(-1)],
      ["ArrowDown", "↓", "next box", (v) => v.cycle(1)],
      ["t", "T", "truth on or off", (v) => v.toggleLayer("truth")],
      ["d", "D", "detections on or off", (v) => v.toggleLayer("detections")],
      ["m", "M", "colour by finding, or by match", (v) => v.toggleColour()],
      ["l", "L", "labels on or off", (v) => v.toggleLabels()],
      ["[", "[", "score threshold down", (v) => v.nudge("threshold", -0.05)],
      ["]", "]", "score threshold up", (v) => v.nudge("threshold", 0.05)],
      ["{", "{", "IoU threshold down", (v) => v.nudge("iou", -0.05)],
      ["}", "}", "IoU threshold up", (v) => v.nudge("iou", 0.05)],
      ["1-9", "1 … 9, X", "a finding on or off", null],
      ["Escape", "Esc", "unselect, close", (v) => v.escape()],
      ["?", "?", "this help", (v) => v.toggleHelp()],
    ],
  ],
];
const ACTIONS = new Map(KEYS.flatMap(([, keys]) => keys).map(([key, , , does]) => [key, does]));
ACTIONS.set("=", ACTIONS.get("+")).set("_", ACTIONS.get("-"));
const FINDING_KEYS = "123456789x";
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const hint = (key) => KEYS.flatMap(([, keys]) => keys).find(([name]) => name === key)[1];

// --- small helpers --------------------------------------------------------------------------------------------------

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const fixed = (value, digits = 2) => value.toFixed(digits);
const size = ([x1, y1, x2, y2]) => `${Math.round(x2 - x1)} × ${Math.round(y2 - y1)}`;
const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

/**
 * An element, given as tag.class.class, attributes if any, and children; strings among them become text, never markup.
 * Mostly a div or a span: pages style headings, lists and tables in their own way.
 */
function h(selector, ...children) {
  const [tag, ...classes] = selector.split(".");
  const attributes = children[0]?.constructor === Object ? children.shift() : {};
  const element = document.createElement(tag);
  element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const press = (button, on) => button.setAttribute("aria-pressed", String(on));

/** Scroll a list so that a row shows; unlike scrollIntoView it leaves the page where it is. */
function reveal(list, top, height) {
  list.scrollTop = clamp(list.scrollTop, top + height - list.clientHeight, top);
}

/** Tell a screen reader which row of a list is the current one. */
function point(list, row) {
  if (row) list.setAttribute("aria-activedescendant", row.id);
  else list.removeAttribute("aria-activedescendant");
}

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  previous: "M10 3 5 8l5 5",
  next: "M6 3l5 5-5 5",
  list: "M2.5 4h11M2.5 8h11M2.5 12h7",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  pan: "M8 1.5v13M1.5 8h13M6 3.5l2-2 2 2M6 12.5l2 2 2-2M3.5 6l-2 2 2 2M12.5 6l2 2-2 2",
  window: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8 5h4.6M8 8h6M8 11h4.6",
  presets: "M3 4.5h10M3 11.5h10M6 2.5v4M10.5 9.5v4",
  invert: "M2.5 2.5h11v11h-11zM2.5 13.5l11-11M9 11h3",
  labels: "M2 3v4.7L8.3 14 14 8.3 7.7 2H3a1 1 0 0 0-1 1zM5 5h.01",
  full: "M9.5 2.5h4v4M13.5 2.5l-4.5 4.5M6.5 13.5h-4v-4M2.5 13.5l4.5-4.5",
  hit: "M3 8.5l3.3 3.3L13 4.5",
  alarm: "M4 4l8 8M12 4l-8 8",
  missed: "M8 3.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6z",
};

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "bv-icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}

/** A sample of a box, on the dark of the image, so that every colour shows in either theme. */
function swatch({ colour, line }, layer = "detections") {
  const truth = layer === "truth";
  const shape = (tag, attributes) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const svg = shape("svg", { viewBox: "0 0 24 16", class: "bv-swatch", "aria-hidden": "true" });
  svg.append(
    shape("rect", {
      x: 5,
      y: 4,
      width: 14,
      height: 8,
      fill: truth ? colour : "none",
      "fill-opacity": 0.15,
      stroke: colour,
      "stroke-width": truth ? 0.75 : 1.75,
      "stroke-dasharray": { solid: "none", dashed: "3.2 2", dotted: "1.2 2" }[line],
    }),
  );
  if (truth)
    svg.append(
      shape("path", { d: "M5 7V4h4M15 4h4v3M19 9v3h-4M9 12H5V9", fill: "none", stroke: colour, "stroke-width": 2 }),
    );
  return svg;
}

/** The window from the 1st to the 99th percentile. */
function spread(histogram) {
  const total = histogram.reduce((sum, n) => sum + n, 0);
  const at = (share) => {
    let seen = 0;
    return histogram.findIndex((n) => (seen += n) >= share * total) / 255;
  };
  const [low, high] = [at(0.01), at(0.99)];
  return { level: (low + high) / 2, width: Math.max(high - low, 0.02) };
}

// --- truth against detections ---------------------------------------------------------------------------------------

/** Intersection over union of two boxes, both border pixels counted, as the challenge measures it. */
export function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]) + 1;
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]) + 1;
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0] + 1) * (box[3] - box[1] + 1);
  return (width * height) / (area(a) + area(b) - width * height);
}

/**
 * The rule of chestlib.metrics.matching: each detection of at least `threshold` points at the truth box of its finding
 * that it overlaps best; the best-scored one with an IoU of at least `iou` hits it, a second one is a false alarm.
 * Returns for each detection the truth box it hit (-1: none) and its best IoU; for each truth box its detection.
 */
export function match(truth, detections, threshold, iou) {
  const takenBy = truth.map(() => -1);
  const took = detections.map(() => -1);
  const best = detections.map(() => 0);
  detections.forEach((detection, i) => {
    if (detection[5] < threshold) return;
    let nearest = -1;
    truth.forEach((box, j) => {
      const value = box[4] === detection[4] ? overlap(detection, box) : 0;
      if (value > best[i]) [best[i], nearest] = [value, j];
    });
    if (nearest >= 0 && best[i] >= iou && takenBy[nearest] < 0) [took[i], takenBy[nearest]] = [nearest, i];
  });
  return { took, takenBy, best };
}

// --- pictures: asked for when shown, decoded to 8-bit grey, the last few kept ----------------------------------------

class Pictures {
  constructor(model, arrived) {
    this.model = model;
    this.kept = new Map();
    this.asked = new Set();
    this.wanted = [];
    this.arrived = arrived;
    this.receive = async (message, buffers) => {
      if (message?.kind !== "picture" || this.kept.has(message.index)) return; // another view may have asked
      const picture = message.error ? { error: message.error } : await decode(message, buffers[0]);
      this.asked.delete(message.index);
      this.keep(message.index, picture);
      this.ask();
      this.arrived(message.index);
    };
    model.on("msg:custom", this.receive);
    const first = model.get("_first");
    if (first?.data) this.asked.add(first.index) && this.receive(first, [first.data]);
  }

  keep(index, picture) {
    this.kept.delete(index);
    this.kept.set(index, picture);
    if (this.kept.size > CACHED) this.kept.delete(this.kept.keys().next().value);
  }

  get(index) {
    const picture = this.kept.get(index);
    if (picture) this.keep(index, picture);
    return picture;
  }

  /** Ask for these, most wanted first; a fast run through the images leaves no queue behind. */
  want(indices) {
    this.wanted = indices;
    this.ask();
  }

  ask() {
    for (const index of this.wanted) {
      if (this.asked.size >= 2) return;
      if (this.kept.has(index) || this.asked.has(index)) continue;
      this.asked.add(index);
      this.model.send({ kind: "picture", index });
    }
  }

  close() {
    this.model.off("msg:custom", this.receive);
  }
}

/** {width, height} of the original, {columns, rows, grey} of what came, and the histogram of its 256 grey levels. */
async function decode({ width, height }, bytes) {
  try {
    const bitmap = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none" });
    const [columns, rows] = [bitmap.width, bitmap.height];
    const context = new OffscreenCanvas(columns, rows).getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const { data } = context.getImageData(0, 0, columns, rows);
    const grey = new Uint8Array(columns * rows);
    const histogram = new Array(256).fill(0);
    for (let i = 0; i < grey.length; i++) histogram[(grey[i] = data[4 * i])]++;
    return { width, height, columns, rows, grey, histogram };
  } catch (error) {
    return { error: `the picture cannot be decoded (${error.message})` };
  }
}

// --- the viewer -----------------------------------------------------------------------------------------------------

class Viewer {
  constructor(model, host) {
    this.model = model;
    this.study = model.get("_study");
    const truth = this.study.images.some((image) => image.truth);
    const detections = this.study.images.some((image) => image.detections);
    this.has = { truth, detections, boxes: truth || detections, both: truth && detections };
    this.matches = new Map();
    this.filter = { text: "", finding: 0, outcome: "all" };
    this.view = { x: 0, y: 0, scale: 1, fit: true };
    this.window = { ...WINDOW };
    this.inverted = false;
    this.tool = "pan";
    this.labels = true;
    this.hovered = null;
    this.id = `bv-${Math.random().toString(36).slice(2)}`; // two views of one viewer must not share ids
    this.pointers = new Map();
    this.order = [];
    this.items = [];
    this.base = document.createElement("canvas");
    this.build();
    host.append(this.root);
    this.listen();
    this.pictures = new Pictures(model, (index) => index === this.index && this.showPicture());
    this.refresh();
    this.showImage();
  }

  get index() {
    return clamp(this.model.get("index"), 0, this.study.images.length - 1);
  }

  get image() {
    return this.study.images[this.index];
  }

  get picture() {
    const picture = this.pictures.get(this.index);
    return picture?.grey ? picture : null;
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  finding(id) {
    return this.study.findings[id - 1];
  }

  hidden(id) {
    return this.model.get("hidden").includes(this.finding(id).name);
  }

  // --- what is where ---

  build() {
    const { el, study } = ((this.el = {}), this);
    const button = (name, title, key, does, ...content) => {
      const text = key ? `${title} (${hint(key)})` : title;
      el[name] = h(
        "button.bv-button",
        { type: "button", title: text, "aria-label": title, "aria-keyshortcuts": key, onclick: does },
        ...(content.length ? content : [icon(name)]),
      );
      return el[name];
    };
    const group = (label, ...content) => h("div.bv-group", { role: "group", "aria-label": label }, ...content);
    const label = (name, ...content) => (el[name] = h("span", { class: `bv-${name}` }, ...content));
    const many = study.images.length > 1;

    el.bar = h(
      "div.bv-bar",
      { role: "toolbar", "aria-label": "Viewer" },
      many
        ? group(
            "Images",
            button("list", "Image list", null, () => this.toggleList()),
            button("previous", "Previous image", "ArrowLeft", () => this.step(-1)),
            label("position"),
            button("next", "Next image", "ArrowRight", () => this.step(1)),
          )
        : "",
      h("div.bv-title", label("name"), label("patient")),
      group(
        "Zoom",
        button("minus", "Zoom out", "-", () => this.zoom(1 / ZOOM.step)),
        label("zoom"),
        button("plus", "Zoom in", "+", () => this.zoom(ZOOM.step)),
        button("fit", "Fit the image", "0", () => this.fit()),
        button("one", "Actual size, 1:1", "z", () => this.actualSize(), "1:1"),
      ),
      group(
        "Grey levels",
        button("pan", "Drag pans", "w", () => this.setTool("pan")),
        button("window", "Drag sets window and level", "w", () => this.setTool("window")),
        button("presets", "Window presets", "p", () => this.toggleWindowMenu()),
        button("invert", "Invert", "i", () => this.invert()),
      ),
      group(
        "More",
        button("labels", "Labels", "l", () => this.toggleLabels()),
        button("full", "Full screen", "f", () => this.fullScreen()),
        button("help", "Keys", "?", () => this.toggleHelp(), "?"),
      ),
    );

    el.image = h("canvas", { "aria-hidden": "true" });
    el.boxes = h("canvas", { "aria-hidden": "true" });
    el.tip = h("div.bv-tip", { hidden: "" });
    el.stage = h(
      "div.bv-stage",
      { tabindex: 0, role: "application", "aria-roledescription": "image viewer" },
      el.image,
      el.boxes,
      (el.message = h("div.bv-message")),
      (el.legend = h("div.bv-corner.bv-top-right.bv-legend")),
      (el.pointer = h("div.bv-corner.bv-bottom-left")),
      (el.levels = h("div.bv-corner.bv-bottom-right")),
      (el.wheel = h("div.bv-wheel", "Click the image or hold Ctrl to zoom")),
      el.tip,
    );

    el.menu = this.buildWindowMenu();
    el.overlay = this.buildHelp();
    el.live = h("div.bv-live", { role: "status", "aria-live": "polite" });
    this.root = h(
      "div.bv",
      {
        role: "region",
        "aria-label": "Box viewer",
        "data-list": many ? "auto" : "none",
        style: `--bv-height: ${this.model.get("height")}px`,
      },
      el.bar,
      (el.body = h("div.bv-body", many ? this.buildList() : "", el.stage, this.has.boxes ? this.buildPanel() : "")),
      (el.note = h("div.bv-note", study.note)),
      el.menu,
      el.overlay,
      el.live,
    );
    el.note.hidden = !study.note;
  }

  buildList() {
    const { el, study } = this;
    const search = (el.search = h("input.bv-search", {
      type: "search",
      placeholder: "Search",
      "aria-label": "Search name or patient",
      title: `Search name or patient (${hint("/")})`,
      "aria-keyshortcuts": "/",
      oninput: () => this.setFilter({ text: search.value.trim().toLowerCase() }),
    }));
    const select = (name, label, options, does) =>
      (el[name] = h(
        "select.bv-select",
        { "aria-label": label, title: label, onchange: (event) => does(event.target.value) },
        ...options.map(([value, text]) => h("option", { value }, text)),
      ));
    const outcomes = [
      ["all", "All images"],
      ["diseased", "With findings"],
      ["normal", "Normal"],
    ];
    if (this.has.both) outcomes.push(["alarm", "With false alarms"], ["missed", "With missed"]);
    el.rows = h(
      "div.bv-rows",
      { role: "listbox", tabindex: 0, "aria-label": "Images" },
      (el.spacer = h("div.bv-spacer")),
    );
    el.rows.addEventListener("scroll", () => this.schedule("rows"));
    el.rows.addEventListener("click", (event) => {
      const row = event.target.closest("[data-index]");
      if (row) this.go(Number(row.dataset.index));
    });
    return h(
      "div.bv-list",
      { role: "group", "aria-label": "Image list" },
      h(
        "div.bv-filters",
        search,
        this.has.boxes
          ? select(
              "finding",
              "Show images with this finding",
              [[0, "Any finding"], ...study.findings.map(({ name }, i) => [i + 1, name])],
              (value) => this.setFilter({ finding: Number(value) }),
            )
          : "",
        this.has.boxes
          ? select("outcome", "Show images of this kind", outcomes, (value) => this.setFilter({ outcome: value }))
          : "",
      ),
      el.rows,
    );
  }

  buildPanel() {
    const { el, study, has } = this;
    const section = (title, ...content) => h("div.bv-section", title ? h("div.bv-heading", title) : "", ...content);
    const toggle = (name, text, key, sample, does) => {
      const counter = h("span.bv-count");
      const element = h(
        "button.bv-toggle",
        { type: "button", "aria-keyshortcuts": key, onclick: does },
        sample,
        h("span.bv-text", text),
        counter,
        h("span.bv-key", key.toUpperCase()),
      );
      return (el[name] = Object.assign(element, { counter }));
    };
    const slider = (trait, text, says, keys) => {
      const output = h("output.bv-value");
      const input = h("input.bv-slider", {
        type: "range",
        min: 0,
        max: 1,
        step: 0.01,
        "aria-label": says,
        oninput: () => this.set(trait, Number(input.value)),
      });
      el[trait] = Object.assign(input, { output });
      return h("label.bv-field", { title: `${says} (${keys})` }, h("span", text), input, output);
    };
    const colour = (value, text) =>
      (el[`by-${value}`] = h("button.bv-choice", { type: "button", onclick: () => this.set("colour", value) }, text));
    const sample = { colour: "#c9d3e0", line: "solid" };

    el.findings = study.findings.map((finding, i) =>
      toggle(`finding-${i}`, finding.name, FINDING_KEYS[i], swatch(finding), () => this.toggleFinding(finding.name)),
    );
    el.table = h("div.bv-table", { role: "grid", tabindex: 0, "aria-label": "Boxes of this image" });
    el.table.addEventListener("click", (event) => {
      const row = event.target.closest("[data-box]");
      if (row) this.select(this.isSelected(this.items[row.dataset.box]) ? null : this.items[row.dataset.box]);
    });
    const over = (item) => this.hover(item ?? null);
    el.table.addEventListener("pointerover", (event) => {
      over(this.items[event.target.closest("[data-box]")?.dataset.box]);
    });
    el.table.addEventListener("pointerleave", () => over());

    return h(
      "div.bv-panel",
      { role: "group", "aria-label": "Boxes" },
      section(
        "",
        has.truth ? toggle("truth", "Truth", "t", swatch(sample, "truth"), () => this.toggleLayer("truth")) : "",
        has.detections
          ? toggle("detections", "Detections", "d", swatch(sample), () => this.toggleLayer("detections"))
          : "",
        has.detections ? slider("threshold", "Score ≥", "Least score", "[ and ]") : "",
        has.both ? slider("iou", "IoU ≥", "Least IoU of a match", "{ and }") : "",
        has.both
          ? h(
              "div.bv-choices",
              { role: "group", "aria-label": "Colour by" },
              colour("finding", "By finding"),
              colour("match", "By match"),
            )
          : "",
      ),
      section(h("span", "Findings"), h("div.bv-findings", ...el.findings)),
      h(
        "div",
        { class: `bv-section bv-grow${has.both ? "" : " bv-plain"}` },
        h(
          "div.bv-heading.bv-columns",
          h("span"),
          h("span", "Boxes"),
          h("span.bv-number", has.detections ? "Score" : "Size"),
          has.both ? h("span.bv-number", "IoU") : "",
        ),
        el.table,
      ),
    );
  }

  buildWindowMenu() {
    const { el } = this;
    const slider = (name, text) => {
      const output = h("output.bv-value");
      const input = h("input.bv-slider", {
        type: "range",
        min: name === "width" ? 0.02 : 0,
        max: 1,
        step: 0.01,
        "aria-label": `Window ${name}`,
        oninput: () => this.setWindow({ [name]: Number(input.value) }),
      });
      el[`window-${name}`] = Object.assign(input, { output });
      return h("label.bv-field", h("span", text), input, output);
    };
    return h(
      "div.bv-menu",
      { role: "dialog", "aria-label": "Grey window", hidden: "" },
      (el.histogram = h("canvas.bv-histogram", { width: 256, height: 64, "aria-hidden": "true" })),
      h(
        "div.bv-presets",
        ...PRESETS.map(([name, make]) =>
          h(
            "button.bv-choice",
            { type: "button", onclick: () => this.picture && this.setWindow(make(this.picture)) },
            name,
          ),
        ),
      ),
      slider("level", "Level"),
      slider("width", "Width"),
    );
  }

  buildHelp() {
    const { el } = this;
    const rows = ([title, keys]) =>
      h(
        "div.bv-keygroup",
        h("div.bv-heading", title),
        ...keys.map(([, shown, says]) => h("div.bv-keyline", h("span", h("span.bv-key", shown)), h("span", says))),
      );
    return h(
      "div.bv-overlay",
      { hidden: "", onclick: (event) => event.target === el.overlay && this.toggleHelp() },
      h(
        "div.bv-help",
        { role: "dialog", "aria-modal": "true", "aria-label": "Keys" },
        h(
          "div.bv-help-title",
          h("strong", "Keys"),
          (el.close = h(
            "button.bv-button",
            { type: "button", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.toggleHelp() },
            icon("alarm"),
          )),
        ),
        h("div.bv-keys", ...KEYS.map(rows)),
        h(
          "div.bv-help-foot",
          "Drag pans, or sets width (sideways) and level (up and down) with W or the right button. ",
          "Wheel and pinch zoom to the pointer. A click selects a box; click again for the one beneath.",
        ),
      ),
    );
  }

  // --- events in ---

  listen() {
    const { stage } = this.el;
    const on = (names, does) => names.split(" ").forEach((name) => stage.addEventListener(name, does));
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup pointercancel", (event) => this.release(event));
    on("pointerleave", () => this.hover(null));
    on("contextmenu", (event) => (event.preventDefault(), event.stopPropagation()));
    on("dblclick", () => this.fit());
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });

    // Capture on window: JupyterLab takes its shortcuts (D D deletes a cell) in the capture phase of document.
    this.key = (event) => this.root.contains(event.target) && this.keyDown(event);
    window.addEventListener("keydown", this.key, true);
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(stage);

    this.handlers = [
      ["change:index", () => this.showImage()],
      ["change:height", () => this.root.style.setProperty("--bv-height", `${this.model.get("height")}px`)],
      ...["threshold", "iou"].map((name) => [`change:${name}`, () => this.matches.clear()]),
      ...["threshold", "iou", "hidden", "selection", "colour", "layers"].map((name) => [
        `change:${name}`,
        () => this.schedule("refresh"),
      ]),
    ];
    this.handlers.forEach(([name, does]) => this.model.on(name, does));
  }

  close() {
    this.handlers.forEach(([name, does]) => this.model.off(name, does));
    window.removeEventListener("keydown", this.key, true);
    this.resized.disconnect();
    this.pictures.close();
    cancelAnimationFrame(this.frame);
    this.root.remove();
  }

  keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { el } = this;
    const { target } = event;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    // A control keeps the keys it needs itself: text, options, the value of a slider, the rows of the list.
    if (target.matches("select, input:not([type=range])") && key !== "Escape") return;
    if (target.matches("input[type=range]") && /^(Arrow|Home|End)/.test(key)) return;
    let does = ACTIONS.get(key);
    if (event.shiftKey && ARROWS[key]) does = () => this.pan(...ARROWS[key].map((sign) => 60 * sign));
    else if (key.startsWith("Arrow") && el.rows?.contains(target)) does = () => this.step(/Up|Left/.test(key) ? -1 : 1);
    else if (FINDING_KEYS.includes(key)) {
      const finding = this.study.findings[FINDING_KEYS.indexOf(key)];
      if (finding) does = () => this.toggleFinding(finding.name);
    }
    if (!does || does(this) === false) return;
    event.preventDefault();
    event.stopPropagation();
  }

  press(event) {
    if (event.pointerType !== "touch") this.el.stage.focus({ preventScroll: true }); // a finger may mean to scroll
    this.el.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    const windowing = event.button === 2 || event.shiftKey || this.tool === "window";
    this.drag = { mode: event.button === 1 || !windowing ? "pan" : "window", moved: 0, button: event.button };
  }

  move(event) {
    const at = { x: event.offsetX, y: event.offsetY };
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.hover(this.hit(at)[0] ?? null, at);
    const [dx, dy] = [at.x - before.x, at.y - before.y];
    this.pointers.set(event.pointerId, at);
    this.drag.moved += Math.abs(dx) + Math.abs(dy);
    if (this.pointers.size > 1) return this.pinch(event.pointerId, before, at);
    if (this.drag.moved < 4) return;
    this.hover(null, at);
    if (this.drag.mode === "pan") this.pan(dx, dy);
    else this.setWindow({ width: this.window.width + dx / 400, level: this.window.level + dy / 400 });
  }

  release(event) {
    const click = event.type === "pointerup" && this.drag?.moved < 4 && this.drag.button === 0;
    this.pointers.delete(event.pointerId);
    if (!click) return;
    this.el.stage.focus({ preventScroll: true });
    const under = this.hit({ x: event.offsetX, y: event.offsetY });
    const chosen = under.findIndex((item) => this.isSelected(item));
    this.select(under[chosen + 1] ?? null);
  }

  pinch(id, before, after) {
    const [other] = [...this.pointers].find(([key]) => key !== id).slice(1);
    const distance = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    this.zoom(distance(after) / Math.max(distance(before), 1), (after.x + other.x) / 2, (after.y + other.y) / 2);
    this.pan((after.x - before.x) / 2, (after.y - before.y) / 2);
  }

  /** Only a viewer in use takes the wheel, so that a page full of viewers still scrolls. */
  wheel(event) {
    const pinched = event.ctrlKey || event.metaKey;
    if (!pinched && !this.root.contains(document.activeElement)) {
      this.el.wheel.classList.add("bv-shown");
      clearTimeout(this.wheelHint);
      this.wheelHint = setTimeout(() => this.el.wheel.classList.remove("bv-shown"), 1200);
      return;
    }
    event.preventDefault();
    const lines = event.deltaY * (event.deltaMode === 1 ? 20 : 1);
    this.zoom(Math.exp(-clamp(lines, -200, 200) * (pinched ? 0.01 : 0.0018)), event.offsetX, event.offsetY);
  }

  // --- which image ---

  go(index) {
    if (index === undefined || index === this.index) return;
    this.model.set("selection", null);
    this.set("index", index);
  }

  /** To the next (+1) or previous (-1) image that the filter lets through. */
  step(by) {
    const at = this.order.indexOf(this.index);
    if (at >= 0) return this.go(this.order[at + by]);
    this.go(by > 0 ? this.order.find((i) => i > this.index) : this.order.findLast((i) => i < this.index));
  }

  setFilter(change) {
    Object.assign(this.filter, change);
    this.refresh();
    if (this.order.length && !this.order.includes(this.index)) this.go(this.order[0]);
  }

  search() {
    if (!this.el.search) return false;
    if (!this.el.search.offsetParent) this.toggleList();
    this.el.search.select();
    this.el.search.focus();
  }

  toggleList() {
    if (!this.el.rows) return false;
    this.root.dataset.list = this.el.rows.offsetParent ? "closed" : "open";
    this.schedule("rows");
  }

  /** Does the filter let image i through? With a finding chosen, false alarms and missed are those of the finding. */
  passes(i) {
    const { text, finding, outcome } = this.filter;
    const image = this.study.images[i];
    if (text && !`${image.name}\n${image.patient}`.toLowerCase().includes(text)) return false;
    const of = ([, , , , id]) => (!finding || id === finding) && !this.hidden(id);
    const reported = image.truth ?? (image.detections ?? []).filter((box) => box[5] >= this.model.get("threshold"));
    if (outcome === "normal") return !reported.length;
    if (outcome === "alarm" || outcome === "missed") return this.outcomes(i, of)[outcome] > 0;
    return (outcome === "all" && !finding) || reported.some(of);
  }

  matched(i) {
    if (!this.matches.has(i)) {
      const { truth, detections } = this.study.images[i];
      this.matches.set(
        i,
        truth && detections ? match(truth, detections, this.model.get("threshold"), this.model.get("iou")) : null,
      );
    }
    return this.matches.get(i);
  }

  /** How many hits, false alarms and missed among the boxes of image i that `of` takes. */
  outcomes(i, of) {
    const found = this.matched(i);
    if (!found) return { hit: 0, alarm: 0, missed: 0 };
    const { truth, detections } = this.study.images[i];
    const threshold = this.model.get("threshold");
    const shown = detections.map((box, j) => box[5] >= threshold && of(box) && found.took[j]);
    return {
      hit: shown.filter((took) => took !== false && took >= 0).length,
      alarm: shown.filter((took) => took === -1).length,
      missed: truth.filter((box, j) => of(box) && found.takenBy[j] < 0).length,
    };
  }

  showImage() {
    const at = this.order.indexOf(this.index);
    const near = at < 0 ? [] : [this.order[at + 1], this.order[at - 1]].filter((i) => i !== undefined);
    this.pictures.want([this.index, ...near]);
    this.hover(null);
    this.refresh();
    this.showPicture();
    this.revealRow();
  }

  showPicture() {
    const picture = this.pictures.get(this.index);
    this.el.message.textContent = picture ? (picture.error ?? "") : "Waiting for the image …";
    this.schedule("paint", "refresh");
    this.fit();
  }

  // --- zoom and pan: `view` takes original pixels to CSS pixels of the stage ---

  resize() {
    const { clientWidth, clientHeight } = this.el.stage;
    Object.assign(this, { width: clientWidth, height: clientHeight });
    if (this.view.fit) this.fit();
    this.schedule("rows");
  }

  fit() {
    const { picture } = this;
    if (picture && this.width) {
      const scale = Math.min(this.width / picture.width, this.height / picture.height);
      this.view = {
        scale,
        fit: true,
        x: (this.width - picture.width * scale) / 2,
        y: (this.height - picture.height * scale) / 2,
      };
    }
    this.schedule();
  }

  /** One original pixel on one pixel of the screen. */
  actualSize() {
    this.zoom(1 / (window.devicePixelRatio * this.view.scale));
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const { picture, view } = this;
    if (!picture) return;
    const least = Math.min(this.width / picture.width, this.height / picture.height) / 2;
    const scale = clamp(view.scale * factor, least, ZOOM.max);
    this.view = {
      scale,
      fit: false,
      x: x - ((x - view.x) * scale) / view.scale,
      y: y - ((y - view.y) * scale) / view.scale,
    };
    this.pan(0, 0);
  }

  /** Move by CSS pixels; a strip of the image stays in sight. */
  pan(dx, dy) {
    const { picture, view } = this;
    if (!picture) return;
    view.fit &&= !dx && !dy;
    view.x = clamp(view.x + dx, 48 - picture.width * view.scale, this.width - 48);
    view.y = clamp(view.y + dy, 48 - picture.height * view.scale, this.height - 48);
    this.schedule();
  }

  reset() {
    this.inverted = false;
    this.setWindow(WINDOW);
    this.fit();
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.();
  }

  // --- window and level ---

  setWindow(change) {
    const { level, width } = { ...this.window, ...change };
    this.window = { level: clamp(level, 0, 1), width: clamp(width, 0.02, 1) };
    this.schedule("paint", "refresh");
  }

  invert() {
    this.inverted = !this.inverted;
    this.schedule("paint", "refresh");
  }

  setTool(tool) {
    this.tool = tool;
    this.schedule("refresh");
  }

  toggleWindowMenu() {
    const { menu, presets, stage } = this.el;
    menu.hidden = !menu.hidden;
    (menu.hidden ? stage : menu.querySelector("button")).focus({ preventScroll: true });
    if (!menu.hidden)
      menu.style.right = `${Math.max(
        8,
        this.root.getBoundingClientRect().right - presets.getBoundingClientRect().right - 90,
      )}px`;
    this.schedule("refresh");
  }

  /** Paint the picture through the window into `base`: on a change of the window, not on zoom. */
  paint() {
    const { picture, base, inverted } = this;
    if (!picture) return;
    const { level, width } = this.window;
    const table = Uint32Array.from({ length: 256 }, (_, grey) => {
      const value = Math.round(255 * clamp((grey / 255 - level) / width + 0.5, 0, 1));
      return 0xff000000 | (0x10101 * (inverted ? 255 - value : value));
    });
    if (this.pixels?.width !== picture.columns || this.pixels.height !== picture.rows) {
      Object.assign(base, { width: picture.columns, height: picture.rows });
      this.pixels = new ImageData(picture.columns, picture.rows);
    }
    const out = new Uint32Array(this.pixels.data.buffer);
    for (let i = 0; i < out.length; i++) out[i] = table[picture.grey[i]];
    base.getContext("2d").putImageData(this.pixels, 0, 0);
  }

  // --- which boxes ---

  layer(name) {
    return this.has[name] && this.model.get("layers").includes(name);
  }

  toggleLayer(name) {
    if (!this.has[name]) return false;
    const shown = this.model.get("layers");
    this.set("layers", shown.includes(name) ? shown.filter((other) => other !== name) : [...shown, name]);
    this.announce(`${name} ${this.layer(name) ? "shown" : "hidden"}`);
  }

  toggleFinding(name) {
    const hidden = this.model.get("hidden");
    this.set("hidden", hidden.includes(name) ? hidden.filter((other) => other !== name) : [...hidden, name]);
    this.announce(`${name} ${hidden.includes(name) ? "shown" : "hidden"}`);
  }

  toggleColour() {
    if (!this.has.both) return false;
    this.set("colour", this.model.get("colour") === "match" ? "finding" : "match");
  }

  toggleLabels() {
    this.labels = !this.labels;
    this.schedule("refresh");
  }

  nudge(trait, by) {
    if (!this.has.detections || (trait === "iou" && !this.has.both)) return false;
    this.set(trait, Math.round(100 * clamp(this.model.get(trait) + by, 0, 1)) / 100);
    this.announce(`${trait === "iou" ? "IoU" : "score"} threshold ${fixed(this.model.get(trait))}`);
  }

  /** The boxes of this image that may be drawn: detections best first, then truth. */
  collect() {
    const { image, index } = this;
    const found = this.matched(index);
    const threshold = this.model.get("threshold");
    const items = [];
    const add = (layer, i, box, partner, iou) => {
      const finding = this.finding(box[4]);
      const outcome = found && (partner >= 0 ? "hit" : layer === "truth" ? "missed" : "alarm");
      const style = this.model.get("colour") === "match" && outcome ? this.study.outcomes[outcome] : finding;
      items.push({ layer, i, box, finding, score: box[5], partner, iou, outcome, style });
    };
    if (this.layer("detections"))
      image.detections?.forEach((box, i) => {
        if (box[5] >= threshold && !this.hidden(box[4])) add("detections", i, box, found?.took[i], found?.best[i]);
      });
    if (this.layer("truth"))
      image.truth?.forEach((box, i) => {
        const by = found?.takenBy[i];
        if (!this.hidden(box[4])) add("truth", i, box, by, found && (by >= 0 ? found.best[by] : null));
      });
    return items;
  }

  isSelected(item) {
    const selection = this.model.get("selection");
    return Boolean(selection && item && selection.layer === item.layer && selection.box === item.i);
  }

  select(item) {
    this.set("selection", item && { layer: item.layer, box: item.i });
    if (!item) return;
    this.announce(this.describe(item).join(", "));
    const { left, top, right, bottom } = this.place(item.box);
    if (right < 0 || bottom < 0 || left > this.width || top > this.height) {
      this.pan((this.width - left - right) / 2, (this.height - top - bottom) / 2);
    }
  }

  cycle(by) {
    if (!this.items.length) return;
    const at = this.items.findIndex((item) => this.isSelected(item));
    const next = at < 0 ? (by > 0 ? 0 : this.items.length - 1) : (at + by + this.items.length) % this.items.length;
    this.select(this.items[next]);
  }

  escape() {
    const { overlay, menu } = this.el;
    if (!overlay.hidden) return this.toggleHelp();
    if (!menu.hidden) return this.toggleWindowMenu();
    if (this.root.contains(document.activeElement) && document.activeElement.matches("input")) {
      return this.el.stage.focus({ preventScroll: true });
    }
    if (!this.model.get("selection")) return false;
    this.select(null);
  }

  describe({ layer, finding, box, score, iou, outcome, partner }) {
    const lines = [`${finding.name}, ${layer === "truth" ? "truth" : `score ${fixed(score)}`}`];
    if (outcome) {
      const overlapping = iou === null ? "" : `, IoU ${fixed(iou)}`;
      const found = layer === "truth" && partner >= 0 ? "found" : this.study.outcomes[outcome].name;
      lines.push(`${found[0].toUpperCase()}${found.slice(1)}${overlapping}`);
    }
    lines.push(`${size(box)} px`);
    return lines;
  }

  /** The boxes at a point of the stage: nearest edge first, else the smallest around it. */
  hit({ x, y }) {
    const reach = 5;
    return this.items
      .map((item) => {
        const { left, top, right, bottom } = this.place(item.box);
        const inside = Math.min(x - left, right - x, y - top, bottom - y);
        const area = (right - left) * (bottom - top);
        return { item, inside, rank: Math.abs(inside) <= reach ? Math.abs(inside) : reach + area };
      })
      .filter(({ inside }) => inside >= -reach)
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
  }

  hover(item, at = null) {
    const { tip, pointer, stage } = this.el;
    if (item?.i !== this.hovered?.i || item?.layer !== this.hovered?.layer) {
      this.hovered = item;
      stage.classList.toggle("bv-over", Boolean(item));
      this.markRows();
      this.schedule();
    }
    tip.hidden = !(item && at);
    if (item && at) {
      const [title, ...lines] = this.describe(item);
      tip.replaceChildren(h("strong", swatch(item.style, item.layer), title), ...lines.map((line) => h("span", line)));
      const [x, y] = [at.x + 14, at.y + 14];
      tip.style.left = `${x + tip.offsetWidth > this.width ? at.x - tip.offsetWidth - 10 : x}px`;
      tip.style.top = `${y + tip.offsetHeight > this.height ? at.y - tip.offsetHeight - 10 : y}px`;
    }
    pointer.textContent = at ? this.readout(at) : "";
  }

  readout(at) {
    const { picture, view } = this;
    if (!picture) return "";
    const [x, y] = [Math.floor((at.x - view.x) / view.scale), Math.floor((at.y - view.y) / view.scale)];
    if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) return "";
    const column = Math.floor((x * picture.columns) / picture.width);
    const row = Math.floor((y * picture.rows) / picture.height);
    return `x ${x}  y ${y}  grey ${fixed(picture.grey[row * picture.columns + column] / 255)}`;
  }

  // --- drawing ---

  /** Work once a frame: "paint" the picture, "refresh" the controls, show "rows" in sight; and draw the stage. */
  schedule(...tasks) {
    this.due ??= new Set();
    tasks.forEach((task) => this.due.add(task));
    this.frame ??= requestAnimationFrame(() => {
      const { due } = this;
      this.due = this.frame = null;
      if (due.has("paint")) this.paint();
      if (due.has("refresh")) this.refresh();
      else if (due.has("rows")) this.drawRows();
      this.draw();
    });
  }

  place([x1, y1, x2, y2]) {
    const { x, y, scale } = this.view;
    return { left: x + x1 * scale, top: y + y1 * scale, right: x + x2 * scale, bottom: y + y2 * scale };
  }

  draw() {
    const { el, picture, view, base } = this;
    const ratio = window.devicePixelRatio || 1;
    const [columns, rows] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (!columns || !rows) return;
    for (const canvas of [el.image, el.boxes]) {
      if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
      canvas.getContext("2d").setTransform(1, 0, 0, 1, 0, 0);
      canvas.getContext("2d").clearRect(0, 0, columns, rows);
    }
    el.zoom.textContent = picture ? `${Math.round(100 * ratio * view.scale)} %` : "";
    if (!picture) return;
    const context = el.image.getContext("2d");
    const [sx, sy] = [(view.scale * picture.width) / picture.columns, (view.scale * picture.height) / picture.rows];
    context.setTransform(ratio * sx, 0, 0, ratio * sy, ratio * view.x, ratio * view.y);
    context.imageSmoothingEnabled = ratio * sx < 6; // beyond that the pixels themselves are of interest
    context.imageSmoothingQuality = "high";
    context.drawImage(base, 0, 0);
    this.drawBoxes(el.boxes.getContext("2d"), ratio);
  }

  drawBoxes(context, ratio) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "600 11px system-ui, sans-serif";
    context.textBaseline = "middle";
    const rank = (item) => (this.isSelected(item) ? 2 : this.isSame(item, this.hovered) ? 1 : 0);
    const top = [...this.items].sort((a, b) => rank(b) - rank(a)); // stable: best score first within a rank
    const picked = top.length > 0 && rank(top[0]) === 2;
    const spots = top.map((item) => this.place(item.box));
    const inSight = ({ left, top, right, bottom }) =>
      right > -4 && bottom > -4 && left < this.width + 4 && top < this.height + 4;
    for (let k = top.length - 1; k >= 0; k--) {
      if (!inSight(spots[k])) continue;
      context.globalAlpha = picked && rank(top[k]) === 0 ? 0.45 : 1;
      drawBox(context, spots[k], top[k], rank(top[k]));
    }
    const taken = [];
    // A truth box that was hit lies by its detection, whose label says the same.
    const said = ({ layer, outcome }) => layer === "truth" && outcome === "hit" && this.layer("detections");
    top.forEach((item, k) => {
      const wanted = rank(item) || (this.labels && taken.length < LABELS && !said(item));
      if (!wanted || !inSight(spots[k])) return;
      context.globalAlpha = picked && rank(item) === 0 ? 0.6 : 1;
      drawLabel(context, spots[k], item, taken, this.width, this.height);
    });
    context.globalAlpha = 1;
  }

  isSame(a, b) {
    return Boolean(a && b && a.layer === b.layer && a.i === b.i);
  }

  // --- controls and lists follow the state ---

  refresh() {
    this.items = this.collect();
    this.order = this.study.images.map((_, i) => i).filter((i) => this.passes(i));
    this.refreshBar();
    if (this.has.boxes) this.refreshPanel();
    this.refreshWindow();
    this.drawLegend();
    this.drawRows();
    const boxes = this.has.boxes ? `, boxes shown: ${this.items.length}` : "";
    this.el.stage.setAttribute("aria-label", `${this.image.name}${boxes}`);
  }

  refreshBar() {
    const { el, image, index, order, study } = this;
    el.name.replaceChildren(h("bdi", { title: image.name }, image.name));
    const patient = h("bdi", { title: image.patient }, image.patient);
    el.patient.replaceChildren(...(image.patient ? ["Patient ", patient] : []));
    el.stage.dataset.tool = this.tool;
    press(el.pan, this.tool === "pan");
    press(el.window, this.tool === "window");
    press(el.invert, this.inverted);
    press(el.labels, this.labels);
    press(el.presets, !el.menu.hidden);
    if (!el.position) return;
    const [at, total] = [order.indexOf(index), study.images.length];
    el.position.textContent = `${at < 0 ? "–" : at + 1} / ${order.length}`;
    el.position.title = order.length < total ? `Image ${index + 1} of ${total}; the filter shows ${order.length}` : "";
    el.previous.disabled = !order.some((i) => i < index);
    el.next.disabled = !order.some((i) => i > index);
  }

  refreshPanel() {
    const { el, has, image, items, model, study } = this;
    for (const name of ["truth", "detections"].filter((layer) => has[layer])) {
      press(el[name], this.layer(name));
      el[name].counter.textContent = items.filter(({ layer }) => layer === name).length || "";
    }
    for (const trait of ["threshold", "iou"].filter((name) => el[name])) {
      el[trait].value = model.get(trait);
      el[trait].output.textContent = fixed(model.get(trait));
    }
    for (const by of ["finding", "match"].filter(() => has.both)) press(el[`by-${by}`], model.get("colour") === by);
    study.findings.forEach(({ name }, i) => {
      const of = (box) => box[4] === i + 1;
      const truth = (image.truth ?? []).filter(of).length;
      const detections = (image.detections ?? []).filter((box) => of(box) && box[5] >= model.get("threshold")).length;
      const counts = [has.truth && `${truth} in truth`, has.detections && count(detections, "detection")];
      const toggle = el.findings[i];
      press(toggle, !this.hidden(i + 1));
      toggle.classList.toggle("bv-absent", !truth && !detections);
      toggle.counter.textContent =
        !truth && !detections ? "" : has.both ? `${truth} · ${detections}` : truth || detections;
      toggle.title = `${name}: ${counts.filter(Boolean).join(", ")} (${FINDING_KEYS[i].toUpperCase()})`;
      toggle.setAttribute("aria-label", toggle.title);
    });
    this.drawTable();
  }

  refreshWindow() {
    const { el, inverted } = this;
    for (const [name, value] of Object.entries(this.window)) {
      el[`window-${name}`].value = value;
      el[`window-${name}`].output.textContent = fixed(value);
    }
    el.levels.textContent = `W ${fixed(this.window.width)}  L ${fixed(this.window.level)}${inverted ? "  inverted" : ""}`;
    if (!el.menu.hidden) this.drawHistogram();
  }

  drawLegend() {
    const { legend } = this.el;
    legend.replaceChildren();
    if (this.model.get("colour") !== "match" || !this.matched(this.index)) return;
    const counts = this.outcomes(this.index, ([, , , , id]) => !this.hidden(id));
    legend.append(
      ...Object.entries(this.study.outcomes).map(([outcome, style]) =>
        h(
          "span.bv-outcome",
          swatch(style, outcome === "missed" ? "truth" : "detections"),
          this.tell(outcome, counts[outcome]),
        ),
      ),
    );
  }

  tell(outcome, n) {
    const { name, many } = this.study.outcomes[outcome];
    return `${n} ${n === 1 ? name : many}`;
  }

  drawTable() {
    const { table } = this.el;
    table.replaceChildren(
      ...this.items.map((item, i) => {
        const says = item.outcome ? this.study.outcomes[item.outcome].name : "";
        const cell = (kind, ...content) => h("span", { role: "gridcell", class: `bv-${kind}` }, ...content);
        return h(
          "div.bv-row",
          { role: "row", id: `${this.id}-box-${i}`, "data-box": i, title: this.describe(item).join(", ") },
          cell("mark", swatch(item.style, item.layer)),
          cell("text", item.finding.name),
          cell("number", item.layer === "detections" ? fixed(item.score) : this.has.both ? "truth" : size(item.box)),
          this.has.both ? cell("number", item.iou ? fixed(item.iou) : "–") : "",
          this.has.both
            ? h(
                "span.bv-mark",
                { role: "gridcell", "aria-label": says, title: says },
                item.outcome ? icon(item.outcome) : "",
              )
            : "",
        );
      }),
    );
    if (!this.items.length) table.append(h("div.bv-empty", this.emptyText()));
    this.markRows();
    const selected = table.querySelector("[aria-selected=true]");
    if (selected) reveal(table, selected.offsetTop - table.offsetTop, selected.offsetHeight);
    point(table, selected);
  }

  emptyText() {
    const { truth, detections } = this.image;
    if (truth && !truth.length && !detections?.length) return "A normal image: no boxes.";
    return truth?.length || detections?.length ? "No box passes the settings above." : "No boxes.";
  }

  markRows() {
    this.el.table?.querySelectorAll("[data-box]").forEach((row) => {
      const item = this.items[row.dataset.box];
      row.setAttribute("aria-selected", String(this.isSelected(item)));
      row.classList.toggle("bv-hovered", this.isSame(item, this.hovered));
    });
  }

  /** Only the rows in sight exist, so that thousands of images cost nothing. */
  drawRows() {
    const { rows, spacer } = this.el;
    if (!rows?.offsetParent) return;
    spacer.style.height = `${this.order.length * ROW}px`;
    const from = Math.max(0, Math.floor(rows.scrollTop / ROW) - 2);
    const to = Math.min(this.order.length, from + Math.ceil(rows.clientHeight / ROW) + 5);
    spacer.replaceChildren(...this.order.slice(from, to).map((i, k) => this.buildRow(i, from + k)));
    if (!this.order.length) spacer.append(h("div.bv-empty", "No image passes the filter."));
    point(rows, spacer.querySelector("[aria-selected=true]"));
  }

  buildRow(i, at) {
    const image = this.study.images[i];
    const all = ([, , , , id]) => !this.hidden(id);
    const reported = image.truth ?? (image.detections ?? []).filter((box) => box[5] >= this.model.get("threshold"));
    const present = [...new Set(reported.filter(all).map((box) => box[4]))].sort((a, b) => a - b);
    const { alarm, missed } = this.outcomes(i, all);
    const tally = (n, outcome) =>
      n ? h("span.bv-tally", { title: this.tell(outcome, n) }, icon(outcome), String(n)) : "";
    return h(
      "div.bv-item",
      {
        role: "option",
        id: `${this.id}-${i}`,
        "data-index": i,
        "aria-selected": String(i === this.index),
        "aria-posinset": at + 1,
        "aria-setsize": this.order.length,
        title: [image.name, image.patient && `patient ${image.patient}`].filter(Boolean).join(", "),
        style: `top: ${at * ROW}px; height: ${ROW}px`,
      },
      h("bdi", image.name),
      h(
        "span.bv-tags",
        ...present
          .slice(0, 5)
          .map((id) => h("i.bv-dot", { style: `--dot: ${this.finding(id).colour}`, title: this.finding(id).name })),
        reported.length ? "" : image.truth ? "normal" : this.has.detections ? "" : h("bdi", image.patient),
        h("span.bv-tallies", tally(alarm, "alarm"), tally(missed, "missed")),
      ),
    );
  }

  revealRow() {
    const { rows } = this.el;
    const at = this.order.indexOf(this.index);
    if (!rows || at < 0) return;
    reveal(rows, at * ROW, ROW);
  }

  /** The grey levels of the image and the ramp that the window lays over them. */
  drawHistogram() {
    const { histogram: canvas } = this.el;
    const context = canvas.getContext("2d");
    const { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    if (!this.picture) return;
    const { histogram } = this.picture;
    const highest = Math.max(...histogram.slice(1, 255), 1); // the ends hold collimation and burnt-in text
    context.fillStyle = "#8b98a8";
    histogram.forEach((n, grey) => {
      const tall = Math.min(n / highest, 1) * (height - 4);
      context.fillRect(grey, height - tall, 1, tall);
    });
    const { level, width: span } = this.window;
    const [low, high] = [(level - span / 2) * width, (level + span / 2) * width];
    context.strokeStyle = "#ffffff";
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(0, this.inverted ? 2 : height - 2);
    context.lineTo(low, this.inverted ? 2 : height - 2);
    context.lineTo(high, this.inverted ? height - 2 : 2);
    context.lineTo(width, this.inverted ? height - 2 : 2);
    context.stroke();
  }

  toggleHelp() {
    const { overlay, close, stage, bar, body } = this.el;
    overlay.hidden = !overlay.hidden;
    bar.inert = body.inert = !overlay.hidden;
    (overlay.hidden ? stage : close).focus({ preventScroll: true });
  }

  announce(text) {
    this.el.live.textContent = text;
  }
}

// --- marks on the canvas, in CSS pixels: as thin at 800 % as at 50 % ------------------------------------------------

/** Truth is a thin line with heavy corners, a detection an even outline: told apart without colour. */
function drawBox(context, { left, top, right, bottom }, { layer, style }, rank) {
  const [width, height] = [right - left, bottom - top];
  const alpha = context.globalAlpha;
  const truth = layer === "truth";
  const line = (truth && style.line !== "dotted" ? 1 : 1.75) + 0.75 * rank;
  const outline = (colour, thickness, dash = []) => {
    Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
    context.setLineDash(dash);
    context.strokeRect(left, top, width, height);
  };
  if (truth || rank) {
    Object.assign(context, { fillStyle: style.colour, globalAlpha: alpha * (rank ? 0.08 : 0.04) });
    context.fillRect(left, top, width, height);
    context.globalAlpha = alpha;
  }
  outline(rank === 2 ? "#ffffff" : "rgb(0 0 0 / 50%)", line + 1.5); // parts the line from bright bone
  outline(style.colour, line, DASH[style.line]);
  if (!truth) return;
  const reach = Math.min(14, width / 3, height / 3);
  context.setLineDash([]);
  context.lineWidth = 3.25;
  context.beginPath();
  for (const [x, inwards] of [
    [left, reach],
    [right, -reach],
  ]) {
    for (const [y, down] of [
      [top, reach],
      [bottom, -reach],
    ]) {
      context.moveTo(x + inwards, y);
      context.lineTo(x, y);
      context.lineTo(x, y + down);
    }
  }
  context.stroke();
}

/** Detections are labelled above, truth below; a label that would cover another is left out. */
function drawLabel(
  context,
  { left, top, right, bottom },
  { layer, style, finding, score },
  taken,
  stageWidth,
  stageHeight,
) {
  const truth = layer === "truth";
  const text = truth ? finding.name : `${finding.name} ${fixed(score)}`;
  const [width, height] = [context.measureText(text).width + 10, 17];
  const x = clamp(left - 1, 0, Math.max(stageWidth - width, 0));
  const outside = truth ? bottom + 2 : top - height - 2;
  const inside = truth ? bottom - height - 3 : top + 3;
  const fits = (y) =>
    y >= 0 &&
    y + height <= stageHeight &&
    !taken.some(
      (other) => x < other.x + other.width && other.x < x + width && y < other.y + height && other.y < y + height,
    );
  const y = [outside, inside].find(fits);
  if (y === undefined || right < 0) return;
  taken.push({ x, y, width });
  context.setLineDash([]);
  context.fillStyle = truth ? "rgba(8, 11, 15, .78)" : style.colour;
  context.beginPath();
  context.roundRect(x, y, width, height, 3);
  context.fill();
  if (truth) {
    Object.assign(context, { strokeStyle: style.colour, lineWidth: 1 });
    context.stroke();
  }
  context.fillStyle = truth ? style.colour : "#0b0e12";
  context.fillText(text, x + 5, y + height / 2 + 0.5);
}

// --- the two hosts --------------------------------------------------------------------------------------------------

/** In Jupyter: called by anywidget for each view. */
function render({ model, el }) {
  const viewer = new Viewer(model, el);
  return () => viewer.close();
}

/** A model without a kernel: the traits, and a `send` that answers from `picture(index)`. */
class StaticModel {
  constructor(state, picture) {
    Object.assign(this, { state, picture, handlers: new Map() });
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    if (Object.is(this.state[name], value)) return;
    this.state[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes() {}

  on(name, does) {
    this.handlers.set(name, [...(this.handlers.get(name) ?? []), does]);
  }

  off(name, does) {
    this.handlers.set(
      name,
      (this.handlers.get(name) ?? []).filter((other) => other !== does),
    );
  }

  emit(name, ...values) {
    (this.handlers.get(name) ?? []).forEach((does) => does(...values));
  }

  async send({ index }) {
    this.emit("msg:custom", ...(await this.picture(index)));
  }
}

/**
 * In a page: `host` holds a script of type application/json with {state, pictures: [[width, height] | what is wrong]}
 * and, in the order of the images, one script of type image/jpeg each with the picture in base64, decoded when shown.
 */
export function mount(host) {
  const { state, pictures } = JSON.parse(host.querySelector("script[type='application/json']").textContent);
  const data = [...host.querySelectorAll("script[type='image/jpeg']")];
  const model = new StaticModel(state, async (index) => {
    const about = pictures[index];
    if (typeof about === "string") return [{ kind: "picture", index, error: about }, []];
    const bytes = Uint8Array.from(atob(data[index].textContent), (character) => character.charCodeAt(0));
    return [{ kind: "picture", index, width: about[0], height: about[1] }, [bytes]];
  });
  host.querySelectorAll(":scope > :not(script)").forEach((fallback) => fallback.remove());
  return new Viewer(model, host);
}

export default { render };
