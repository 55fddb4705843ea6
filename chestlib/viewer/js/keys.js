// The one table behind the keyboard, the tooltips and the help.

/** @import { Commands } from "./commands.js" */

/**
 * By group: the key as the browser names it, as it is shown, what it does, and the command; null: see `pressed`.
 * @type {Record<string, [key: string, shown: string, says: string, command: keyof Commands | null][]>}
 */
export const KEYS = {
  Images: [
    ["ArrowLeft", "←", "previous image", "previous"],
    ["ArrowRight", "→", "next image", "next"],
    ["Home", "Home", "first image", "first"],
    ["End", "End", "last image", "last"],
    ["/", "/", "search the images", "search"],
    ["#", "#", "tags, and this view as a link or line", "tag"],
  ],
  View: [
    ["+", "+", "zoom in", "zoomIn"],
    ["-", "−", "zoom out", "zoomOut"],
    ["0", "0", "fit the image", "fit"],
    ["z", "Z", "actual size, 1:1", "actualSize"],
    ["Shift+Arrow", "Shift ←↑↓→", "pan", null],
    ["f", "F", "full screen", "fullScreen"],
    ["s", "S", "save the view as PNG", "save"],
    ["h", "H", "flip: exchange left and right", "flip"],
    ["o", "O", "turn by 90°, clockwise", "rotate"],
    ["r", "R", "reset zoom, turn and grey window", "reset"],
  ],
  Grey: [
    ["w", "W", "drag sets the window, or pans", "otherTool"],
    ["p", "P", "window presets", "presets"],
    ["i", "I", "invert", "invert"],
  ],
  Measure: [
    ["u", "U", "ruler; again: put it away", "ruler"],
    ["Arrow", "←↑↓→", "move its end, with Shift its start", null],
    ["c", "C", "heat map on or off", "heat"],
    ["v", "V", "another film of the patient beside it", "compare"],
    ["<", "<", "the patient's earlier film", "earlier"],
    [">", ">", "the patient's later film", "later"],
  ],
  Reading: [
    ["b", "B", "drag draws boxes", "draw"],
    ["n", "N", "a box in the middle", "newBox"],
    ["Arrow", "←↑↓→", "move the selected box", null],
    ["Shift+Arrow", "Shift ←↑↓→", "resize it", null],
    ["1-9", "1 … 9, X", "name it, or the next boxes", null],
    ["[", "[ ]", "less or more sure", null],
    [",", ", .", "previous or next box of yours", "previousYours"],
    ["Delete", "Del", "delete it", "remove"],
    ["Enter", "Enter", "commit the film, then the next", "commit"],
    ["y", "Y", "your boxes on or off", "yours"],
  ],
  Boxes: [
    ["ArrowUp", "↑", "previous box", "previousBox"],
    ["ArrowDown", "↓", "next box", "nextBox"],
    ["t", "T", "truth on or off", "truth"],
    ["d", "D", "detections on or off", "detections"],
    ["m", "M", "colour by finding, match or difference", "colour"],
    ["a", "A", "the other detector", "otherDetector"],
    ["l", "L", "labels on or off", "labels"],
    ["[", "[", "score threshold down", "thresholdDown"],
    ["]", "]", "score threshold up", "thresholdUp"],
    ["{", "{", "IoU threshold down", "iouDown"],
    ["}", "}", "IoU threshold up", "iouUp"],
    ["1-9", "1 … 9, X", "a finding on or off", null],
    ["Escape", "Esc", "unselect, close", "escape"],
    ["?", "?", "this help", "help"],
  ],
};

/** The keys of the findings, in their order. */
export const FINDING_KEYS = "123456789x";

const BY_KEY = new Map(
  Object.values(KEYS)
    .flat()
    .filter(([, , , command]) => command)
    .map(([key, shown, , command]) => [key, { shown, command }]),
);
/** @type {Record<string, string>} */
const SAME_KEY = { "=": "+", _: "-", Backspace: "Delete" };
/** @type {Record<string, [x: number, y: number]>} */
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** A key as it is shown to the reader. @param {string} key */
export const hint = (key) => BY_KEY.get(key)?.shown ?? key;

/**
 * What a key asks for: a command, a move of the image or, when `editing`, of a box, or a finding (by its place); null: it
 * is not ours.
 * @typedef {{ command?: keyof Commands | null, pan?: [x: number, y: number], finding?: number } & Nudge} Wish
 * @typedef {{ nudge?: [x: number, y: number], grows?: boolean }} Nudge
 * @param {KeyboardEvent} event @param {boolean} inList @param {boolean} editing @returns {Wish | null}
 */
export function pressed(event, inList, editing) {
  const [target] = event.composedPath();
  if (event.ctrlKey || event.metaKey || event.altKey || !(target instanceof Element)) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // A control keeps the keys it needs itself: text, options, the value of a slider, the rows of the list.
  if (target.matches("select, input:not([type=range])") && key !== "Escape") return null;
  if (target.matches("input[type=range]") && /^(Arrow|Home|End)/.test(key)) return null;
  if (target.matches("button") && key === "Enter") return null;
  if (editing && !inList && ARROWS[key]) return { nudge: [-ARROWS[key][0], -ARROWS[key][1]], grows: event.shiftKey };
  if (event.shiftKey && ARROWS[key]) return { pan: ARROWS[key] };
  if (inList && key.startsWith("Arrow")) return { command: /Up|Left/.test(key) ? "previous" : "next" };
  if (FINDING_KEYS.includes(key)) return { finding: FINDING_KEYS.indexOf(key) };
  if (key === ".") return { command: "nextYours" };
  return { command: BY_KEY.get(SAME_KEY[key] ?? key)?.command };
}
