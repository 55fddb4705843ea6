"""Viewer and quiz as other hosts load them: anywidget's own script, an address and a shadow root, a sandboxed frame.

JupyterLab and Notebook 7, VS Code and Colab run anywidget's script: it is run here as it is installed, with a few lines
in place of ipywidgets' base classes, and with nothing of JupyterLab's around it. marimo imports the module from an
address and renders into a shadow root; its model is the six methods. Colab shows outputs in a frame of another origin.
None of these programs itself runs here, but JupyterLab (test_viewer_browser.py).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from browser import quiet_page, screenshot
from playwright.sync_api import Browser, Frame, Page, expect
from test_viewer_browser import example

from chestlib import course
from chestlib.course import cards
from chestlib.viewer import javascript, static

SITE = "http://127.0.0.1:9"
"""Nobody listens there: the tests answer."""

STRICT = (
    "default-src 'none'; script-src 'nonce-host' {scripts}; style-src 'unsafe-inline'; connect-src 'none'; "
    "base-uri 'none'; form-action 'none'"
)
"""No eval, no handler in markup, no script but the host's and the module, no picture and no font from anywhere."""

MODEL = """
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
window.saved = [];
class Model {
  constructor(state) {
    this.state = state;
    this.listeners = [];
    if (state._first) state._first.data = bytes(state._first.data);
  }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.trigger(`change:${name}`);
  }
  save_changes() {
    const { _study, _first, _esm, _css, ...own } = this.state;
    saved.push(structuredClone(own));
  }
  on(name, does, context) { this.listeners.push({ name, does, context }); }
  off(name, does, context) {
    const other = (asked, had) => asked != null && asked !== had;
    this.listeners = this.listeners.filter(
      (one) => other(name, one.name) || other(does, one.does) || other(context, one.context));
  }
  once(name, does) { this.on(name, does); }
  trigger(name, ...values) { for (const { name: own, does } of [...this.listeners]) if (own === name) does(...values); }
  send(message) {
    const { data, ...answer } = pictures[message.index];
    setTimeout(() => this.trigger("msg:custom", answer, [bytes(data)]));
  }
}
"""

ANYWIDGET = """
window.define = (needs, made) => {
  class DOMWidgetModel extends Model { constructor(state) { super(state); this.initialize(); } initialize() {} }
  class DOMWidgetView {
    constructor(model, el) { this.model = model; this.el = el; this.$el = { empty: () => el.replaceChildren() }; }
    remove() { this.el.remove(); }
  }
  const { AnyModel, AnyView } = made({ DOMWidgetModel, DOMWidgetView });
  window.view = new AnyView(new AnyModel(state), document.body.appendChild(document.createElement("div")));
  window.model = view.model;
  window.end = () => view.remove();
  view.render();
};
"""

MARIMO = """
(async () => {
  const { default: { render } } = await import("/widget.js");
  const { get, set, save_changes, on, off, send } = (window.inner = new Model(state));
  window.model = Object.fromEntries(
    Object.entries({ get, set, save_changes, on, off, send }).map(([name, does]) => [name, does.bind(inner)]));
  const root = document.body.appendChild(document.createElement("marimo-anywidget")).attachShadow({ mode: "open" });
  root.append(Object.assign(document.createElement("style"), { textContent: css }));
  const close = await render({ model, el: root.appendChild(document.createElement("div")) });
  window.end = close;
})();
"""

HOSTS = {
    "anywidget": (ANYWIDGET, "blob:"),  # its style goes into the page's head
    "marimo": (MARIMO, "'self'"),
    "frame": (ANYWIDGET, "blob:"),
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser, viewport={"width": 1100, "height": 800}) as opened:
        yield opened


def state_of(widget: Any) -> dict[str, Any]:
    """The traits that a kernel sends, bytes as base64."""
    state = widget.get_state()
    for name in [name for name in state if name.startswith(("_model", "_view", "_dom")) or name == "layout"]:
        del state[name]
    if first := state.get("_first"):
        state["_first"] = {**first, "data": base64.b64encode(first["data"]).decode()}
    return state


def opened(page: Page, host: str, widget: Any, module: str, css: str) -> Page | Frame:
    """Show a widget as a host does; what holds it."""
    code, scripts = HOSTS[host]
    messages = [widget._message(i) for i in range(len(widget))] if hasattr(widget, "_message") else []
    pictures = [{**told, "data": base64.b64encode(told["data"]).decode()} for told in messages]
    values = {"state": {**state_of(widget), "_esm": module, "_css": css, "_anywidget_id": "w"}}
    values |= {"pictures": pictures, "css": css}
    told = "".join(f"window.{name} = {json.dumps(value)};" for name, value in values.items()).replace("<", "\\u003c")
    own = Path(find_spec("anywidget").origin).parent / "nbextension" / "index.js"
    loader = own.read_text(encoding="utf-8") if code is ANYWIDGET else ""
    script = "".join(f'<script nonce="host">{part}</script>' for part in (told + MODEL + code, loader))
    text = f"<!doctype html><title>host</title><body>{script}</body>"
    outer = f'<!doctype html><iframe sandbox="allow-scripts" src="{SITE}/frame" width="1000" height="760"></iframe>'
    policy = STRICT.format(scripts=scripts)
    answers = {
        "/": (outer if host == "frame" else text, "text/html", "" if host == "frame" else policy),
        "/frame": (text, "text/html", policy),
        "/widget.js": (module, "text/javascript", ""),
        "/favicon.ico": ("", "image/png", ""),
    }

    def answer(route: Any) -> None:
        body, kind, csp = answers[route.request.url.removeprefix(SITE)]
        headers = {"content-type": f"{kind}; charset=utf-8"} | ({"content-security-policy": csp} if csp else {})
        route.fulfill(body=body, headers=headers)

    page.route(f"{SITE}/**", answer)
    page.goto(f"{SITE}/")
    return page.frames[1] if host == "frame" else page


@pytest.mark.parametrize("host", HOSTS)
def test_the_viewer_works(page: Page, host: str) -> None:
    held = opened(page, host, example(), javascript.module(), static.STYLE.read_text(encoding="utf-8"))
    expect(held.locator(".bv-zoom")).to_contain_text("%")
    assert held.locator(".bv-body").evaluate("(e) => getComputedStyle(e).display") != "block", "no style sheet"
    expect(held.locator(".bv-title")).to_contain_text("one.png")
    stage = held.locator(".bv-stage")
    zoom = held.locator(".bv-zoom").inner_text()
    stage.hover()
    page.mouse.wheel(0, -300)  # not in use yet: the page's own
    expect(held.locator(".bv-zoom")).to_have_text(zoom)
    stage.click(position={"x": 5, "y": 5})
    page.mouse.wheel(0, -300)
    expect(held.locator(".bv-zoom")).not_to_have_text(zoom)
    for key in ("m", "ArrowRight"):
        page.keyboard.press(key)
    expect(held.locator(".bv-title")).to_contain_text("two.png")
    expect(held.locator(".bv-message")).to_have_text("")  # its picture was asked for, and came
    held.get_by_label("Least score").fill("0.8")
    expect(held.locator(".bv-row")).to_have_count(3)
    assert held.evaluate("[saved.at(-1).index, saved.at(-1).colour, saved.at(-1).threshold]") == [1, "match", 0.8]
    field = held.locator(".bv input[type=search], .bv input[type=text]").first
    field.fill("four")
    field.press("m")  # a letter of the name, no command
    field.press("Escape")  # back to the film
    page.keyboard.press("m")
    assert held.evaluate("saved.at(-1).colour") == "finding"
    held.evaluate("model.set('index', 3)")  # from Python
    expect(held.locator(".bv-title")).to_contain_text("four.png")
    screenshot(page, f"host-{host}-viewer")
    held.evaluate("end()")
    expect(held.locator(".bv")).to_have_count(0)


@pytest.mark.parametrize("host", HOSTS)
def test_the_quiz_works(page: Page, host: str) -> None:
    asked = course.quiz(
        course.choice("Who misses nobody?", ["a coin", "calls all ill"], "calls all ill", "No one is left."),
        course.number("IoU .5 is a slip of …?", 0.3333, 0.01, "(1 − s) / (1 + s).", unit="of the side"),
    )
    held = opened(page, host, asked, cards.module(), cards.STYLE.read_text(encoding="utf-8"))
    held.get_by_role("button", name="calls all ill").click()
    held.locator(".cq-input").fill("1/3")
    held.locator(".cq-input").press("Enter")
    expect(held.locator(".cq-tally")).to_contain_text("2 of 2")
    assert held.locator(".cq").evaluate("(e) => getComputedStyle(e).borderTopStyle") != "none", "no style sheet"
    asked.answers = held.evaluate("saved.at(-1).answers")
    assert asked.score == (2, 2, 2)
    screenshot(page, f"host-{host}-quiz")
    held.evaluate("end()")
    expect(held.locator(".cq")).to_have_count(0)
