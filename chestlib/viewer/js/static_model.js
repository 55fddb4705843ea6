// A model without a kernel.

/** @import { Handler, Model, PictureMessage, Traits } from "./types.d.ts" */

/**
 * The traits as a page holds them, and a `send` that answers from `picture(index)`.
 * @implements {Model}
 */
export class StaticModel {
  /** @type {Map<string, Handler[]>} */ #handlers = new Map();

  constructor(/** @type {Traits} */ state, /** @type {(index: number) => Parameters<Handler>} */ picture) {
    this.state = state;
    this.picture = picture;
  }

  /** @template {keyof Traits} Name @param {Name} name */
  get(name) {
    return this.state[name];
  }

  /** @template {keyof Traits} Name @param {Name} name @param {Traits[Name]} value */
  set(name, value) {
    if (Object.is(this.state[name], value)) return;
    this.state[name] = value;
    this.#emit(`change:${name}`);
  }

  save_changes() {}

  on(/** @type {string} */ name, /** @type {Handler} */ does) {
    this.#handlers.set(name, [...(this.#handlers.get(name) ?? []), does]);
  }

  off(/** @type {string} */ name, /** @type {Handler} */ does) {
    const handlers = this.#handlers.get(name) ?? [];
    this.#handlers.set(
      name,
      handlers.filter((other) => other !== does),
    );
  }

  #emit(/** @type {string} */ name, /** @type {Parameters<Handler> | []} */ ...values) {
    for (const does of this.#handlers.get(name) ?? []) /** @type {(...values: unknown[]) => void} */ (does)(...values);
  }

  /** Answers later, as a kernel would. @param {{ kind: PictureMessage["kind"], index: number }} message */
  async send({ kind, index }) {
    await null;
    const [message, buffers] = this.picture(index);
    this.#emit("msg:custom", { ...message, kind }, buffers);
  }
}
