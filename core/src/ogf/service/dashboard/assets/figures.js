// The key figures: the footprint by either accounting, how much of it is estimated, and how much usage has an estimate.
import { link, period, shared } from "./address.js";
import { get } from "./api.js";
import { at, el } from "./dom.js";
import { attempt } from "./notice.js";
import { drawMonths } from "./report.js";
import { count, mass, share } from "./words.js";

/** Show them for these parameters. */
export async function draw(params) {
  at("whole").setAttribute("href", link("report", shared(params)));
  await Promise.all([
    attempt(at("unreadable"), () => cards(params), { retry: true }),
    drawMonths(params),
  ]);
}

async function cards(params) {
  const given = { ...period(params), provider: params.provider };
  const [summary, footprint] = await Promise.all([
    get("/api/emissions/summary", given),
    get("/api/footprint", { ...given, by: "provider,month" }),
  ]);
  const { coverage, basis, first_month: first, last_month: last } = summary;
  const months = first ? (first === last ? first : `${first} to ${last}`) : "no months";
  at("figures").replaceChildren(
    ...totals(footprint.rows, months),
    figure(
      "Usage with an estimate",
      coverage.share === null ? ["–", ""] : [share(coverage.share), ""],
      coverage.share === null ? "No billing data is loaded." : `${count(coverage.estimated_rows)} of ${count(coverage.usage_rows)} usage rows. The rest is left out, never counted as zero.`,
    ),
    figure("Method", [basis.method, ""], `Version ${basis.method_version}, grid factors ${basis.factor_set}`, "words"),
  );
}

/** The sum of each accounting that is whole for some account; the two are never added. */
function totals(rows, months) {
  const by = ["location", "market"].map((accounting) => [accounting, rows.filter((row) => row.accounting === accounting)]);
  const largest = Math.max(...by.map(([, own]) => added(own)));
  const providers = new Set(rows.map((row) => row.provider));
  return by.map(([accounting, own]) => total(`Footprint, ${accounting}-based`, own, providers, largest, months));
}

function total(title, rows, providers, largest, months) {
  if (!rows.some((row) => row.complete)) return figure(title, ["–", ""], "No account has a whole figure by this accounting.");
  const sum = added(rows);
  const estimated = added(rows.filter((row) => row.basis === "estimated"));
  const said = [`${months}; ${estimated ? `${share(sum ? estimated / sum : null)} estimated` : "all as providers report it"}.`];
  const here = new Set(rows.map((row) => row.provider));
  if (here.size < providers.size) said.push(`Only ${[...here].join(" and ")} give it.`);
  if (rows.some((row) => !row.complete)) said.push("Some accounts lack scope 2: the sum is less than the whole.");
  return figure(title, mass(sum, largest), said.join(" "));
}

function figure(title, [value, unit], note, kind = "") {
  return el(
    "div",
    { class: `figure ${kind}` },
    el("h2", {}, title),
    el("p", { class: "value" }, value, unit && el("span", { class: "unit" }, ` ${unit}`)),
    el("p", { class: "note" }, note),
  );
}

function added(rows) {
  return rows.reduce((sum, row) => sum + (row.emissions_kgco2e ?? 0), 0);
}
