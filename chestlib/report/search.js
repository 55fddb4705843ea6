// Search over all chapters, those on other pages too: the words lie in the page, as data.

const find = $("#find");
const found = $("#found");
const count = $("#count");
const SHOWN = 40;
const AROUND = 60; // characters before and after a word that is found
let index = null; // read when it is first asked

/** The words that are asked for; what stands in quotes is one. */
const words = (text) => [...text.toLowerCase().matchAll(/"([^"]+)"|[^\s"]+/g)].map((match) => match[1] ?? match[0]);

function readIndex() {
  const { chapters, cells } = JSON.parse($("#index").textContent);
  return cells.map(([chapter, section, address, prose, text], i) => {
    return { label: chapters[chapter], section, address, prose, text, i, low: text.toLowerCase() };
  });
}

/** All sections in which a cell holds each word, itself or with its heading; those with the words in a heading first. */
function search(asked) {
  index ??= readIndex();
  const sections = new Map();
  for (const cell of index) {
    const heading = `${cell.label.join(" ")} ${cell.section}`.toLowerCase();
    if (!asked.every((word) => cell.low.includes(word) || heading.includes(word))) continue;
    const inside = asked.filter((word) => cell.low.includes(word)).length;
    const above = asked.every((word) => cell.section.toLowerCase().includes(word));
    if (!inside && !above) continue;
    const hit = { ...cell, rank: 4 * above + 2 * (inside === asked.length) + cell.prose };
    const key = `${cell.label[0]} ${cell.section}`;
    const best = sections.get(key);
    const places = (best?.places ?? 0) + 1;
    sections.set(key, { ...(best && best.rank >= hit.rank ? best : hit), places });
  }
  return [...sections.values()].sort((a, b) => b.rank - a.rank || a.i - b.i);
}

/** A piece of text with the words in it marked. */
function marked(text, asked) {
  const low = text.toLowerCase();
  const spots = asked.flatMap((word) => {
    const at = [];
    for (let i = low.indexOf(word); i >= 0; i = low.indexOf(word, i + word.length)) at.push([i, i + word.length]);
    return at;
  });
  const parts = document.createDocumentFragment();
  let end = 0;
  for (const [from, to] of spots.sort((a, b) => a[0] - b[0])) {
    if (from < end) continue;
    parts.append(
      text.slice(end, from),
      Object.assign(document.createElement("mark"), { textContent: text.slice(from, to) }),
    );
    end = to;
  }
  parts.append(text.slice(end));
  return parts;
}

function snippet({ text, low }, asked) {
  const first = Math.max(0, Math.min(...asked.map((word) => low.indexOf(word)).filter((at) => at >= 0), text.length));
  const from = first === text.length || first < AROUND ? 0 : text.lastIndexOf(" ", first - AROUND / 2) + 1;
  const to = from + 2 * AROUND;
  return marked(`${from ? "… " : ""}${text.slice(from, to)}${to < text.length ? " …" : ""}`, asked);
}

/** Leads to a cell on this page or another, which is told what to mark there. */
function address(place, query) {
  const [page, id] = place.split("#", 2);
  return page ? `${page}?find=${encodeURIComponent(query)}#${id}` : `#${id}`;
}

function show() {
  const query = find.value.trim();
  const asked = words(query);
  $(".side").classList.toggle("searching", asked.length > 0);
  found.hidden = !asked.length;
  if (!asked.length) {
    count.textContent = "";
    found.replaceChildren();
    mark([]);
    return;
  }
  const hits = search(asked);
  const more = hits.length > SHOWN ? `; the first ${SHOWN} are shown` : "";
  count.textContent = hits.length
    ? `${hits.length} ${hits.length === 1 ? "section" : "sections"}${more}`
    : "Nothing found. Fewer or shorter words find more.";
  found.replaceChildren(
    ...hits.slice(0, SHOWN).map((hit) => {
      const item = document.createElement("li");
      const link = Object.assign(document.createElement("a"), { href: address(hit.address, query) });
      const where = document.createElement("strong");
      const number = Object.assign(document.createElement("b"), { textContent: hit.label[0] });
      where.append(number, " ", marked(hit.section || hit.label[1], asked));
      const piece = document.createElement("span");
      piece.append(snippet(hit, asked));
      if (hit.places > 1)
        where.append(Object.assign(document.createElement("small"), { textContent: ` ×${hit.places}` }));
      link.append(where, piece);
      item.append(link);
      return item;
    }),
  );
}

// --- on the page: the words of what was found are marked where they stand -------------------------------------------

/** Marks words in an element without touching it, where the browser can; gives the ranges. */
function mark(asked, element = null) {
  const ranges = [];
  const walker = element && document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = walker?.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest("script, .viewer")) continue;
    const low = node.data.toLowerCase();
    for (const word of asked) {
      for (let i = low.indexOf(word); i >= 0; i = low.indexOf(word, i + word.length)) {
        if (i + word.length > node.length) break; // a letter that is longer in lower case
        const range = document.createRange();
        range.setStart(node, i);
        range.setEnd(node, i + word.length);
        ranges.push(range);
      }
    }
  }
  CSS.highlights?.set("found", new Highlight(...ranges));
  return ranges;
}

/** Goes to a cell, marks the words in all of its chapter, unfolds what holds the first one here, and shows it. */
function goTo(id, query) {
  const cell = document.getElementById(id);
  if (!cell) return;
  const first = mark(words(query), cell.closest(".chapter")).find((range) => cell.contains(range.startContainer));
  const at = first?.startContainer.parentElement ?? cell;
  for (let block = at.closest("details"); block; block = block.parentElement.closest("details")) block.open = true;
  const { top, height } = (first ?? cell).getBoundingClientRect();
  if (first && (top < 80 || top + height > innerHeight - 40)) at.scrollIntoView({ block: "center" });
}

found.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  requestAnimationFrame(() => goTo(link.getAttribute("href").slice(1), find.value)); // after the browser went there
});
const wanted = new URLSearchParams(location.search).get("find");
if (wanted && location.hash) goTo(location.hash.slice(1), wanted);

// --- keys: / asks, arrows choose, Enter goes, Escape ends -----------------------------------------------------------

find.addEventListener("input", show);
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable], .viewer");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  event.preventDefault();
  contents.open = true;
  find.focus();
  find.select();
});
$(".side").addEventListener("keydown", (event) => {
  if (event.target !== find && !found.contains(event.target)) return;
  const stops = [find, ...found.querySelectorAll("a")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    stops[Math.max(0, Math.min(stops.length - 1, stops.indexOf(document.activeElement) + step))].focus();
  } else if (event.key === "Enter" && event.target === find) {
    stops[1]?.click();
  } else if (event.key === "Escape") {
    find.value = "";
    show();
    find.focus();
  } else return;
  event.preventDefault();
});
