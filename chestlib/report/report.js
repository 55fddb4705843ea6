// The page reads well without this script; it adds folded code, paper, where the reader is, and enlarged figures.

const $$ = (selector) => [...document.querySelectorAll(selector)];

// --- code and paper ------------------------------------------------------------------------------------------------

$("#code").addEventListener("click", ({ currentTarget: button }) => {
  const show = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(show));
  button.textContent = show ? "Hide all code" : "Show all code";
  for (const block of $$("details.code")) block.open = show;
});
$("#print").addEventListener("click", () => print());

// On paper nothing can be opened: answers and notes are folded out, code is only if the reader has opened it.
let folded = [];
addEventListener("beforeprint", () => {
  folded = $$("main details:not(.code):not([open])").filter((block) => !block.closest(".viewer"));
  for (const block of folded) block.open = true;
});
addEventListener("afterprint", () => {
  for (const block of folded) block.open = false;
  folded = [];
});

// --- contents: they mark where the reader is ----------------------------------------------------------------------

const links = new Map($$(".toc a[href^='#']").map((link) => [link.getAttribute("href").slice(1), link]));
const places = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
let led = null; // the place that a link has led to; it is read until the reader scrolls on

/** The place that fills most of the window; each reaches from its heading to the next one. */
function read() {
  const tops = places.map((place) => place.getBoundingClientRect().top);
  let most = 0;
  let best = null;
  for (const [i, place] of places.entries()) {
    const seen = Math.min(tops[i + 1] ?? Infinity, innerHeight) - Math.max(tops[i], 0);
    if (seen > most) [most, best] = [seen, place];
  }
  return best;
}

function markPlace() {
  const here = led ?? read();
  const current = here && links.get(here.id);
  for (const link of links.values()) {
    if (link === current) link.setAttribute("aria-current", "location");
    else link.removeAttribute("aria-current");
  }
  for (const item of $$(".toc > li")) {
    if (current && item.querySelector("a[href^='#']")) item.classList.toggle("here", item.contains(current));
  }
  if (current && !narrow.matches) {
    const side = $(".side");
    const { top, bottom } = current.getBoundingClientRect();
    if (top < 60 || bottom > innerHeight - 140) side.scrollTop += top - innerHeight / 2;
  }
}

/** What the address names; a mail program may have cut it within a letter. */
function asked() {
  const name = location.hash.slice(1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Follow the address: unfold what holds its place; one of an older report, or of a single page, is understood, too. */
function follow() {
  const name = asked();
  if (!name) return;
  let place = document.getElementById(name);
  if (!place) {
    const [chapter, section] = name.split("--", 2).map(spelt);
    place = document.getElementById(`ch-${chapter}--${section}`) ?? document.getElementById(`ch-${chapter}`);
    place?.scrollIntoView();
    if (!place) turnTo(chapter);
  }
  if (!place) return;
  led = places.findLast(
    (one) => one === place || one.compareDocumentPosition(place) & Node.DOCUMENT_POSITION_FOLLOWING,
  );
  markPlace();
}

/** To the page of a chapter, where it has one of its own: that page finds the place. */
function turnTo(chapter) {
  const own = $$(".toc > li > a").find(({ hash }) => [`#${chapter}`, `#ch-${chapter}`].includes(hash));
  if (own && own.pathname !== location.pathname) location.replace(own.href.split("#")[0] + location.hash);
}

/** A heading as it stands in an address; chestlib/report/markup.py spells it so, too. */
function spelt(text = "") {
  const letters = [...text.normalize("NFKD").replace(/\p{Mn}/gu, "")];
  const ascii = letters.map((c) =>
    /[^\0-\x7f]/.test(c) && /[\p{L}\p{N}]/u.test(c) ? `u${c.codePointAt(0).toString(16)}` : c,
  );
  return ascii
    .join("")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .toLowerCase();
}

addEventListener("hashchange", follow);
for (const type of ["wheel", "touchmove", "keydown", "pointerdown"]) {
  addEventListener(type, () => (led = null), { passive: true, capture: true });
}
let waiting = false;
addEventListener(
  "scroll",
  () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      markPlace();
    });
  },
  { passive: true },
);
markPlace();
follow();

// --- figures: a click shows one as large as the window ---------------------------------------------------------------

const zoom = $("#zoom");
for (const image of $$("figure img")) {
  image.tabIndex = 0;
  image.setAttribute("role", "button");
  const open = () => {
    zoom.firstElementChild.src = image.src;
    zoom.firstElementChild.alt = image.alt;
    zoom.showModal();
  };
  image.addEventListener("click", open);
  image.addEventListener("keydown", (event) => event.key === "Enter" && open());
}
zoom.addEventListener("click", () => zoom.close());
