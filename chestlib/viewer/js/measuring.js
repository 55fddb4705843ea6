// What keys and buttons ask for to measure and compare: ruler, flip, turn, heat map, other films of the patient.

/** @import { Viewer } from "./viewer.js" */

/** Their commands by name, to be joined to the others. */
export function measuring(/** @type {Viewer} */ viewer) {
  const { beside, stage, study, view } = viewer;
  let opacity = 0.5; // of the heat map when it was last seen

  const say = (/** @type {string} */ text) => {
    stage.hint(text);
    viewer.announce(text);
  };

  const turned = () => {
    stage.on.changed("refresh");
    say(view.lies || "As the film is");
  };

  const ruler = () => {
    if (!view.size) return say("No film to measure");
    if (stage.tool !== "ruler") {
      if (!stage.ruler.ends.length) stage.ruler.place();
      stage.setTool("ruler");
      return viewer.announce(`Ruler, ${stage.measured()}. Arrows move its end, with Shift its start.`);
    }
    stage.ruler.clear();
    stage.setTool(study.reading ? "draw" : "pan");
    viewer.announce("Ruler put away");
  };

  const heat = () => {
    if (!study.heat) return false;
    if (!study.open(study.index)) return say("The heat map comes once the film is committed");
    const shown = study.get("heat_opacity");
    opacity = shown || opacity;
    study.set("heat_opacity", shown ? 0 : opacity);
    viewer.announce(`Heat map ${shown ? "hidden" : "shown"}`);
  };

  const compare = () => {
    beside.toggle();
    say(beside.open ? beside.says() : "One film at a time");
  };

  const step = (/** @type {number} */ by) => {
    const came = beside.step(by);
    say(came || beside.index === null ? beside.says() : `No ${by < 0 ? "earlier" : "later"} film of this patient`);
  };

  return {
    ruler,
    flip: () => {
      view.flip();
      turned();
    },
    rotate: () => {
      view.rotate();
      turned();
    },
    heat,
    compare,
    earlier: () => step(-1),
    later: () => step(1),
  };
}
