// The shapes that travel between Python and the page.

/** An option by its place, a number, or for each item the place of an option. */
export type Given = number | number[];

export type Question = {
  kind: "choice" | "number" | "order" | "match";
  ask: string;
  why: string;
  /** The right answer as text. */
  answer: string;
  /** Null in a prediction, and where nothing came out. */
  right: Given | null;
  /** Of choice, order and match: what is shown. */
  options?: string[];
  /** Of match: what an option is looked for. */
  items?: string[];
  tolerance?: number;
  unit?: string;
};

/** What a reader said: wrong answers, each once; the last one given; how it ended. */
export type Answer = { tries: Given[]; given: Given | null; done: "" | "right" | "shown" };

export type QuizCard = { form: "quiz"; key: string; title: string; questions: Question[] };
export type PredictionCard = { form: "prediction"; key: string; question: Question };
/** What came out, beside the prediction of this key. */
export type AnswerCard = { form: "answer"; key: string; question: Question };
export type Card = QuizCard | PredictionCard | AnswerCard;

/** What a card is handed: its answers as they are, and whom to tell of new ones. */
export type Memory = { answers: Answer[]; keep: (answers: Answer[]) => void };

/** The part of anywidget's model that a card uses. */
export type Model = {
  get(name: "_card"): Card;
  get(name: "answers"): Answer[];
  set(name: "answers", value: Answer[]): void;
  save_changes(): void;
};

/** How a question takes an answer; `show` brings it to a state, and with it the controls. */
export type Form = { body: HTMLElement; show: (answer: Answer) => void };
export type Ask = (question: Question, named: string, answered: (given: Given) => void, action: string) => Form;
