// The menu of tags and of the view that is to be kept.

import { h, hang } from "./dom.js";
import { hint } from "./keys.js";
import { asTag, LONGEST } from "./tags.js";

/** @import { Commands } from "./commands.js" */
/** @import { Study } from "./study.js" */

/** Floats below its anchor, a button of the bar; `toggled` hears when it opens or closes. */
export class FilmMenu {
  #chips = h("div.bv-chips", { role: "group", "aria-label": "Tags of this film" });
  #input;
  #known;
  #line = h("input.bv-search", { type: "text", readonly: "", "aria-label": "Link or line", hidden: "" });
  #says = h("div.bv-says");
  #drawn = "";

  /**
   * @param {Study} study @param {string} id @param {Commands} commands @param {Element} anchor
   * @param {(open: boolean) => void} toggled
   */
  constructor(study, id, commands, anchor, toggled) {
    this.study = study;
    this.anchor = anchor;
    this.toggled = toggled;
    this.#known = h("datalist", { id: `${id}-tags` });
    this.#input = h("input.bv-search", {
      type: "text",
      list: `${id}-tags`,
      maxlength: LONGEST,
      placeholder: "Add a tag",
      "aria-label": "Add a tag",
      enterkeyhint: "done",
      onkeydown: (event) => {
        const { key, isComposing } = /** @type {KeyboardEvent} */ (event);
        if (key === "Enter" && !isComposing) this.#add();
      },
    });
    /** @type {(text: string, title: string, does: () => void) => Node} */
    const button = (text, title, does) => h("button.bv-choice", { type: "button", title, onclick: does }, text);
    const export_ = "Export tags, for chestlib.viewer.read_tags";
    this.element = h(
      "div.bv-menu",
      { role: "dialog", "aria-label": "Tags and view", hidden: "" },
      h("div.bv-heading", `Tags of this film (${hint("#")})`),
      this.#chips,
      h(
        "div.bv-add",
        this.#input,
        button("Add", "Add the tag", () => this.#add()),
        this.#known,
      ),
      h(
        "div.bv-choices",
        button("Export tags", export_, () => commands.exportTags()),
      ),
      h("div.bv-heading", "This view"),
      h(
        "div.bv-choices",
        button(study.linked ? "Copy link" : "Copy as Python", "", () => commands.copyView()),
      ),
      this.#line,
      this.#says,
    );
  }

  get open() {
    return !this.element.hidden;
  }

  toggle() {
    const menu = this.element;
    menu.hidden = !menu.hidden;
    this.#line.hidden = true;
    this.#says.textContent = "";
    this.toggled(this.open);
    if (!this.open) return;
    hang(menu, this.anchor);
    this.#input.focus({ preventScroll: true });
  }

  #add() {
    const tag = asTag(this.#input.value);
    this.#input.value = "";
    if (tag) this.study.tags.put(this.study.index, tag, true);
    this.#input.focus({ preventScroll: true });
  }

  /** The view in words that can be kept; said too, for a browser may refuse to copy. @param {string} text */
  async hand(text) {
    this.#line.value = text;
    this.#line.hidden = false;
    this.#line.focus({ preventScroll: true });
    this.#line.select();
    try {
      await navigator.clipboard.writeText(text);
      this.#says.textContent = "Copied.";
    } catch {
      this.#says.textContent = "Copy it with Ctrl C.";
    }
  }

  refresh() {
    const { index, tags } = this.study;
    const own = tags.of(index);
    const by = JSON.stringify([index, own, [...tags.counts.keys()]]);
    if (!this.open || by === this.#drawn) return;
    this.#drawn = by;
    const chip = (/** @type {string} */ tag) => {
      const onclick = () => {
        tags.put(index, tag, false);
        this.#input.focus({ preventScroll: true });
      };
      const says = `Remove the tag ${tag}`;
      return h("button.bv-chip", { type: "button", title: says, "aria-label": says, onclick }, h("bdi", tag), " ×");
    };
    this.#chips.replaceChildren(...(own.length ? own.map(chip) : [h("span.bv-says", "None yet.")]));
    this.#known.replaceChildren(...[...tags.counts.keys()].map((value) => h("option", { value })));
  }
}
