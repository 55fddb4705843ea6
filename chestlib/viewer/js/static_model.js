// A model without a kernel.

/** @import { Handler, Model, Traits } from "./types.d.ts" */

/**
 * The traits as a page holds them, and a `send` that answers from `picture(index)`.
 * @implements {Model}
 */
export class StaticModel {
  /** @type {Map<string, Handler[]>} */
  #handlers = new Map();
  #state;
  #picture;

  /** @param {Traits} state @param {(index: number) => Parameters<Handler>} picture */
  constructor(state, picture) {
    this.#state = state;
    this.#picture = picture;
  }

  /** @template {keyof Traits} Name @param {Name} name */
  get(name) {
    return this.#state[name];
  }

  /** @template {keyof Traits} Name @param {Name} name @param {Traits[Name]} value */
  set(name, value) {
    if (Object.is(this.#state[name], value)) return;
    this.#state[name] = value;
    this.#emit(`change:${name}`);
  }

  save_changes() {}

  /** @param {string} name @param {Handler} does */
  on(name, does) {
    this.#handlers.set(name, [...(this.#handlers.get(name) ?? []), does]);
  }

  /** @param {string} name @param {Handler} does */
  off(name, does) {
    const handlers = this.#handlers.get(name) ?? [];
    this.#handlers.set(
      name,
      handlers.filter((other) => other !== does),
    );
  }

  /** @param {string} name @param {Parameters<Handler> | []} values */
  #emit(name, ...values) {
    for (const does of this.#handlers.get(name) ?? []) /** @type {(...values: unknown[]) => void} */ (does)(...values);
  }

  /** Answers later, as a kernel would. @param {{ index: number }} message */
  async send({ index }) {
    await null;
    this.#emit("msg:custom", ...this.#picture(index));
  }
}
