// The shapes that travel between Python and the page, and those that the modules hand to one another.

/** x1, y1, x2, y2 in pixels of the original image, whatever the size of the picture that travels, and the finding. */
export type TruthBox = [x1: number, y1: number, x2: number, y2: number, finding: number];
export type DetectionBox = [...TruthBox, score: number];
export type Box = TruthBox | DetectionBox;
/** "yours": drawn by the reader; a box of finding 0 has no name yet. */
export type Layer = "truth" | "detections" | "yours";
export type Outcome = "hit" | "alarm" | "missed";
export type Style = { colour: string; line: "solid" | "dashed" | "dotted" | "dashdot" };
export type Finding = Style & { name: string };

export type StudyImage = {
  name: string;
  patient: string;
  truth: TruthBox[] | null;
  /** Best first; of several detectors the first one's. */
  detections: DetectionBox[] | null;
  /** The findings that somebody looked for; absent: all. Marks of others are neither right nor wrong. */
  looked?: number[];
  /** Those of the other detectors. */
  others?: (DetectionBox[] | null)[];
  /** The follow-up number, where it is known. */
  visit?: number;
};

/** Which of two detectors found a true box. */
export type Difference = "both" | "a" | "b" | "neither";

/** What was drawn on a film; `done`: committed, and since then in order of score. */
export type Film = { boxes: DetectionBox[]; done: boolean };

export type StudyData = {
  images: StudyImage[];
  /** Their ids are 1 to n, in this order. */
  findings: Finding[];
  outcomes: Record<Outcome, Style & { name: string; many: string }>;
  differences: Record<Difference, Style & { name: string }>;
  /** Their names; none where there is one without a name. */
  detectors: string[];
  /** Has any image a heat map? */
  heat: boolean;
  /** Shown below the viewer; may be empty. */
  note: string;
};

export type PictureMessage = {
  kind: "picture" | "thumbnail";
  index: number;
  error?: string;
  /** Of the original image, pixels. */
  width?: number;
  height?: number;
  extent?: Extent;
};

/** Width and height in mm of what a film shows, and whether they hold at the detector. */
export type Extent = [width: number, height: number, atDetector: boolean];

/** What Python and the page share; each name is a trait of BoxViewer. */
export type Traits = {
  index: number;
  threshold: number;
  iou: number;
  hidden: string[];
  selection: { layer: Layer; box: number } | null;
  colour: "finding" | "match" | "difference";
  layers: Layer[];
  height: number;
  /** Truth and detections are hidden until the reader has committed the film. */
  read: boolean;
  /** Of several detectors, the one shown and the one it is compared with. */
  detector: string;
  against: string;
  /** Of the heat map; 0: hidden. */
  heat_opacity: number;
  /** By file name; an empty list: the reader took them away. */
  tags: Record<string, string[]>;
  /** To be shown again; empty: none. */
  view: Partial<ViewData>;
  _study: StudyData;
  /** By the place of the image. */
  _reading: Record<string, Film>;
  /** Which viewer of the page it is; only in a page. */
  _place?: number;
  /** Where the readings are kept, in words; only in a page. */
  _kept?: string;
  /** The first picture, so that it need not be asked for; absent in a page. */
  _first?: PictureMessage & { data?: BlobPart; heat?: BlobPart };
};

/** What the list lets through, and in which order. */
export type Filter = { text: string; finding: number; outcome: string; order: string; tag: string };

/**
 * A view: `zoom`, with the original pixel in the middle, is absent where the film is whole, `turn` where it lies as it
 * is; `number` is its place.
 */
export type ViewData = {
  version: number;
  film: string;
  number: number;
  zoom?: { scale: number; x: number; y: number };
  /** Flipped first, then turned clockwise: 0, 90, 180 or 270. */
  turn?: { flipped: boolean; degrees: number };
  grey: Levels & { inverted: boolean };
  list: Filter;
  settings: Partial<Traits>;
};

/** The part of anywidget's model that the viewer uses. */
export type Model = {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  save_changes(): void;
  on(name: string, does: Handler): void;
  off(name: string, does: Handler): void;
  send(message: { kind: "picture" | "thumbnail"; index: number }): void;
};
/** A change comes without arguments, a message with its buffers: the picture and, if there is one, its heat map. */
export type Handler = (message: PictureMessage, buffers: BlobPart[]) => void;

export type Size = { width: number; height: number };
export type Point = { x: number; y: number };
/** A box on the stage, CSS pixels. */
export type Place = { left: number; top: number; right: number; bottom: number };

/** Size of the original, size and pixels of what came, and how many pixels have each of the 256 grey levels. */
export type Picture = Size & {
  columns: number;
  rows: number;
  grey: Uint8Array;
  histogram: number[];
  extent?: Extent;
  heat?: OffscreenCanvas;
};
export type Unreadable = { error: string };

export type Match = { took: number[]; takenBy: number[]; best: number[] };

/** A box that may be drawn; `i` is its place in its layer, `partner` that of the box it is matched to, -1 for none. */
export type Item = (
  | { layer: "truth"; box: TruthBox; score: null }
  | { layer: "detections" | "yours"; box: DetectionBox; score: number }
) & {
  i: number;
  finding: Finding;
  style: Style;
  /** Null where there is nothing to match with. */
  outcome: Outcome | null;
  partner: number;
  iou: number | null;
};

/** What a drag of the pointer does. */
export type Tool = "pan" | "window" | "draw" | "ruler";
/** Work for the next frame: paint the picture, refresh the controls, show the rows in sight. */
export type Task = "paint" | "refresh" | "rows";

/** What a hand on the stage tells; `tool` and `inUse` are asked: what a drag does, and may the wheel be taken? */
export type Hand = {
  tool: () => Tool;
  inUse: () => boolean;
  /** A press begins; a finger needs more room. It ends, or was no drag after all. */
  start: (tool: Tool, at: Point, finger: boolean) => void;
  end: (valid: boolean) => void;
  /** The pointer moves with no button down. */
  over: (at: Point) => void;
  leave: () => void;
  drag: (tool: Tool, dx: number, dy: number, at: Point) => void;
  pan: (dx: number, dy: number) => void;
  zoom: (factor: number, x: number, y: number) => void;
  click: (at: Point) => void;
  doubleClick: () => void;
  /** The wheel was left to the page. */
  refused: () => void;
};

/** Told which box is under the pointer, and which is chosen; null: none. */
export type BoxListener = { hovered: (item: Item | null) => void; selected: (item: Item | null) => void };

/** A mark on a film, how sure, and the overlap with what it hit; null: a false alarm. */
export type Mark = { score: number; iou: number | null };
/** A film's marks, best first, and how many true boxes it has. */
export type Marked = { marks: Mark[]; boxes: number };
/** Over some films; `rate` is false alarms a film, `iou` the mean of the hits. */
export type Sum = {
  films: number;
  boxes: number;
  hits: number;
  alarms: number;
  recall: number;
  rate: number;
  iou: number;
};

/** Level and width of the grey window, in shares of the range of grey. */
export type Levels = { level: number; width: number };

/** Of an element; those that start with "on" listen to events. */
export type Attributes = Record<string, string | number | null | undefined | ((event: Event) => void)>;
/** The tag of an element, with or without .classes behind it. */
export type Selector = keyof HTMLElementTagNameMap | `${keyof HTMLElementTagNameMap}.${string}`;
export type Selected<S> = S extends `${infer Tag extends keyof HTMLElementTagNameMap}.${string}`
  ? HTMLElementTagNameMap[Tag]
  : S extends keyof HTMLElementTagNameMap
    ? HTMLElementTagNameMap[S]
    : never;
