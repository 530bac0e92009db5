// The form over each view: its fields, and from them the address. What can be chosen comes from the warehouse.
import { here, link } from "./address.js";
import { get } from "./api.js";
import { at, el } from "./dom.js";
import { remark } from "./notice.js";

const GROUPS = ["provider", "account", "month", "scope", "service", "category", "region"];
const DEFAULT_GROUPS = "provider,month";
const FIELDS = {
  overview: ["provider", "from", "to"],
  report: ["provider", "from", "to", "accounting"],
  breakdown: ["group_by", "provider", "from", "to", "accounting"],
  activities: ["provider", "stream", "service", "region", "account_id", "from", "to"],
};
const LABELS = {
  provider: "Provider", from: "First month", to: "Last month", accounting: "Accounting",
  stream: "Stream", service: "Service", region: "Region", account_id: "Account",
};
const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;

let choices = {};

/** Ask what can be chosen. */
export async function learn() {
  choices = await get("/dashboard/choices");
}

export const groups = (params) => params.group_by ?? DEFAULT_GROUPS;

/** Fill the form for a view. */
export function draw({ view, params }) {
  const form = at("filters");
  const said = el("div", { class: "said" });
  form.replaceChildren(
    ...FIELDS[view].map((name) => field(name, params, view)),
    el(
      "div",
      { class: "buttons" },
      el("button", { type: "submit" }, "Apply"),
      el("button", { type: "button", class: "quiet", onclick: () => { location.hash = link(view); } }, "Clear"),
    ),
    said,
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    const wanted = read(form, said);
    if (wanted) location.hash = link(here().view, wanted);
  };
}

function field(name, params, view) {
  if (name === "group_by") return grouping(groups(params).split(","));
  const value = params[name] ?? (name === "accounting" && view === "breakdown" ? "location" : "");
  const label = el("label", { for: `filter-${name}` }, LABELS[name]);
  return el("div", { class: "field" }, label, ...control(name, value, view));
}

function control(name, value, view) {
  const given = { id: `filter-${name}`, name };
  if (name === "provider") return [select(given, value, [["", "all"], ...(choices.provider ?? []).map((each) => [each, each])])];
  if (name === "accounting") {
    const both = view === "report" ? [["", "both, apart"]] : [];
    return [select(given, value, [...both, ["location", "location-based"], ["market", "market-based"]])];
  }
  if (name === "from" || name === "to") {
    return [el("input", { ...given, type: "month", value, placeholder: "YYYY-MM", maxlength: "7", autocomplete: "off" })];
  }
  const list = el("datalist", { id: `known-${name}` }, (choices[name] ?? []).map((each) => el("option", { value: each })));
  return [
    el("input", { ...given, type: "text", value, list: list.id, placeholder: "all", maxlength: "1000", autocomplete: "off", spellcheck: "false" }),
    list,
  ];
}

function select(given, value, options) {
  const known = options.some(([each]) => each === value) ? options : [...options, [value, value]];
  return el("select", given, known.map(([each, text]) => el("option", { value: each, selected: each === value }, text)));
}

function grouping(chosen) {
  return el(
    "fieldset",
    { class: "field wide" },
    el("legend", {}, "Add up by"),
    GROUPS.map((name) =>
      el("label", { class: "tick" }, el("input", { type: "checkbox", name: "group_by", value: name, checked: chosen.includes(name) }), ` ${name}`),
    ),
  );
}

/** What the form says; null, and the reason beside its buttons, where it means nothing. */
function read(form, said) {
  const data = new FormData(form);
  const wanted = Object.fromEntries([...data].filter(([name]) => name !== "group_by").map(([name, value]) => [name, value.trim()]));
  const chosen = data.getAll("group_by");
  if (form.elements.group_by) {
    if (!chosen.length) return refuse(said, "Choose at least one thing to add up by.");
    wanted.group_by = chosen.join(",");
  }
  for (const name of ["from", "to"]) {
    if (wanted[name] && !MONTH.test(wanted[name])) return refuse(said, `${LABELS[name]}: write a month as YYYY-MM.`);
  }
  if (wanted.from && wanted.to && wanted.from > wanted.to) return refuse(said, "The first month is after the last one.");
  said.replaceChildren();
  return wanted;
}

function refuse(said, text) {
  remark(said, text, "refusal");
  return null;
}
