// What to do first, where nothing is loaded yet.
import { at, el } from "./dom.js";
import { mayRun } from "./session.js";
import { known } from "./work.js";

/** Show the first steps, or nothing once rows are there. */
export function draw() {
  const place = at("start");
  const loaded = known.connectors.some((each) => each.rows > 0);
  const ready = known.connectors.some((each) => each.configured);
  const wanted = loaded || !known.connectors.length ? "" : ready ? "ready" : "bare";
  if (place.dataset.shown === wanted) return;
  place.dataset.shown = wanted;
  place.replaceChildren(...(wanted ? [steps(ready)] : []));
}

function steps(ready) {
  const key = "Sign in with a key that may start syncs: ogf token create --name NAME --scope run.";
  const press = "Press Sync at a connector below. It goes on when this page is closed.";
  const list = ready
    ? [...(mayRun() ? [] : [key]), press, "The footprint appears here, and the report and the tables fill."]
    : ["Name your exports in ogf.yaml: ogf init writes one, and ogf doctor says what is missing.", "Restart ogf serve.", "Press Sync at a connector below."];
  return el(
    "div",
    { class: "nothing" },
    el("h2", {}, "Nothing is loaded yet"),
    el("ol", {}, list.map((each) => el("li", {}, each))),
    el("p", {}, "No cloud at hand? ogf demo makes sample exports of every provider, and a warehouse of them."),
  );
}
