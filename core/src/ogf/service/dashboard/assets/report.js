// The report, as the server draws it: HTML that is escaped there.
import { period } from "./address.js";
import { query, text } from "./api.js";
import { at, el, show } from "./dom.js";
import { attempt } from "./notice.js";

const kept = new Map();

/** Forget what was asked for: something was loaded. */
export const forget = () => kept.clear();

/** Show all of it. */
export async function draw(params) {
  const body = at("report-body");
  body.setAttribute("aria-busy", "true");
  if (!body.children.length) body.replaceChildren(el("p", { class: "note waiting" }, "Drawing the charts…"));
  await attempt(at("unreadable"), async () => {
    body.replaceChildren(await fragment("report", params));
    contents(body);
    at("report-said").textContent = `${subject(params)} Masses are CO₂e. Location-based and market-based, reported and estimated figures are never added.`;
  }, { retry: true });
  body.removeAttribute("aria-busy");
}

export function leave() {
  at("report-body").replaceChildren();
  at("sections").replaceChildren();
}

/** Show the charts of the months, by the first accounting that has any. Their place is kept while they are drawn. */
export async function drawMonths(params) {
  const place = at("months-drawn");
  show(at("monthly"), true);
  if (!place.children.length) place.replaceChildren(el("p", { class: "note waiting" }, "Drawing the charts…"));
  await attempt(place, async () => {
    const charts = (await fragment("months", params)).querySelector(".charts");
    show(at("monthly"), Boolean(charts));
    place.replaceChildren(charts ?? "");
  });
}

async function fragment(name, params) {
  const given = { ...period(params), provider: params.provider, accounting: params.accounting };
  const key = `/dashboard/${name}${query(given)}`;
  if (!kept.has(key)) kept.set(key, text(key));
  const holder = document.createElement("template");
  try {
    holder.innerHTML = await kept.get(key);
  } catch (error) {
    kept.delete(key);
    throw error;
  }
  return holder.content;
}

function contents(body) {
  const headings = [...body.querySelectorAll("section > h2")];
  at("sections").replaceChildren(
    el(
      "ul",
      {},
      headings.map((heading) => {
        heading.tabIndex = -1;
        const go = () => {
          heading.scrollIntoView();
          heading.focus({ preventScroll: true });
        };
        return el("li", {}, el("button", { type: "button", class: "link", onclick: go }, heading.textContent));
      }),
    ),
  );
}

function subject({ provider, from, to, accounting }) {
  const months = from && to ? `${from} to ${to}` : from ? `From ${from}` : to ? `Until ${to}` : "All months";
  return `${months}, ${provider ? `only ${provider}` : "all providers"}${accounting ? `, ${accounting}-based` : ""}.`;
}
