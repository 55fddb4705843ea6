// What must not wait until megabytes of chapters are read: the theme, and the contents, which a phone folds.

const $ = (selector) => document.querySelector(selector);
const narrow = matchMedia("(max-width: 60rem)");

$(".tools").hidden = false;
$(".search").hidden = false;

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

// --- contents: folded on a narrow screen -----------------------------------------------------------------------------

const contents = $("#contents");
const fold = () => {
  contents.open = !narrow.matches;
};
narrow.addEventListener("change", fold);
fold();
contents.addEventListener("click", ({ target }) => {
  if (target.closest("a") && narrow.matches) contents.open = false;
});
