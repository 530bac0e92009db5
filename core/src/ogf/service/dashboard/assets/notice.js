// What is said to whoever uses the page: problems where they acted, progress to a screen reader.
import { action, at, el, tell } from "./dom.js";

/** Say what went wrong, in this place. `again`: what a button to try again does. */
export function problem(place, error, again) {
  if (error.told) return;
  const told = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  place.replaceChildren(
    el(
      "div",
      { class: "problem", role: "alert" },
      el("p", {}, el("strong", {}, told)),
      error.detail && el("p", {}, error.detail),
      error.status >= 500 && error.requestId && el("p", { class: "note" }, `In the service's log: ${error.requestId}`),
      again && action("Try again", again),
    ),
  );
  if (!(error.status >= 0)) console.error(error); // a mistake of this page
}

/** Something that is no problem: a hint, a result. */
export function remark(place, text, kind = "remark") {
  place.replaceChildren(el("p", { class: kind, role: "status" }, text));
}

/** Do something; a failure is told in this place, a success clears it. Returns whether it went well. */
export async function attempt(place, does, { retry = false } = {}) {
  try {
    await does();
    if (place.querySelector(":scope > .problem")) place.replaceChildren();
    return true;
  } catch (error) {
    problem(place, error, retry ? () => attempt(place, does, { retry }) : undefined);
    return false;
  }
}

/** To a screen reader only. */
export const announce = (text) => tell(at("live"), text);
