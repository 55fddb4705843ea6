"use strict";
// The page reads well without this script; it adds the theme, the folded code, the contents and enlarged figures.

const $ = (selector) => document.querySelector(selector);
const $$ = (selector) => [...document.querySelectorAll(selector)];
const narrow = matchMedia("(max-width: 60rem)");

$(".tools").hidden = false;

// --- theme: what the system says, unless the reader says otherwise -----------------------------------------------

const THEMES = ["auto", "light", "dark"];
let theme = "auto";
try {
  theme = THEMES.find((name) => name === localStorage.getItem("chestlib-theme")) ?? theme;
} catch {
  // a file opened without storage forgets the choice
}

function showTheme() {
  document.documentElement.dataset.theme = theme;
  $("#theme").textContent = `Theme: ${theme}`;
}

$("#theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  showTheme();
  try {
    localStorage.setItem("chestlib-theme", theme);
  } catch {
    // as above
  }
});
showTheme();

// --- code and paper ------------------------------------------------------------------------------------------------

$("#code").addEventListener("click", ({ currentTarget: button }) => {
  const show = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(show));
  button.textContent = show ? "Hide all code" : "Show all code";
  for (const block of $$("details.code")) block.open = show;
});
$("#print").addEventListener("click", () => print());

// --- contents: folded on a narrow screen; marks where the reader is --------------------------------------------------

const contents = $("#contents");
const fold = () => (contents.open = !narrow.matches);
narrow.addEventListener("change", fold);
fold();
contents.addEventListener("click", ({ target }) => target.closest("a") && narrow.matches && (contents.open = false));

const links = new Map($$(".toc a").map((link) => [link.getAttribute("href").slice(1), link]));
const places = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);

function markPlace() {
  const here = places.findLast((place) => place.getBoundingClientRect().top < innerHeight * 0.25);
  const current = here && links.get(here.id);
  for (const link of links.values()) link.toggleAttribute("aria-current", link === current);
  for (const item of $$(".toc > li")) item.classList.toggle("here", Boolean(current) && item.contains(current));
  if (current && !narrow.matches) {
    const nav = $("nav");
    const { top, bottom } = current.getBoundingClientRect();
    if (top < 60 || bottom > innerHeight - 140) nav.scrollTop += top - innerHeight / 2;
  }
}

let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    markPlace();
  });
}, { passive: true });
markPlace();

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
