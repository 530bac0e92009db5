// The footprint added up by what is chosen, page by page.
import { link, period } from "./address.js";
import { get } from "./api.js";
import { at, el, tell } from "./dom.js";
import { groups } from "./filters.js";
import { announce, attempt } from "./notice.js";
import { table } from "./table.js";
import { column, count, many, mass, share } from "./words.js";

const PER_PAGE = 50;
const TITLES = {
  month: "Month", provider: "Provider", account_id: "Account", provider_scope: "Scope", lifecycle: "Part",
  service: "Service", category: "Category", region: "Region", basis: "Basis",
};
const MASSES = { emissions_kgco2e: "kg CO₂e", low_kgco2e: "low", high_kgco2e: "high", energy_kwh: "kWh" };
const BOUNDS = ["low_kgco2e", "high_kgco2e"]; // of an estimate: what is reported has none

/** Show a page of it. */
export async function draw(params) {
  await attempt(at("unreadable"), async () => {
    const answer = await get("/api/emissions", {
      ...period(params),
      provider: params.provider,
      accounting: params.accounting || "location",
      group_by: groups(params),
      page: params.page,
      per_page: PER_PAGE,
    });
    tell(at("breakdown-said"), about(answer));
    const nothing = "Nothing for these filters. Clear them, or load exports with Sync on the overview.";
    at("breakdown-body").replaceChildren(table(`Footprint, ${answer.accounting}-based, in ${answer.unit}`, columns(answer.data), answer.data, nothing), pager(answer, params));
    announce(`${many(answer.total, "row")}, page ${answer.page} of ${Math.max(1, answer.total_pages)}`);
  }, { retry: true });
}

function about(answer) {
  if (!answer.total) return "";
  const sum = answer.total_kgco2e === null ? "" : `All rows together ${mass(answer.total_kgco2e).join(" ")}, ${answer.accounting}-based. `;
  const part = answer.estimated_share;
  const estimated = part === null ? "" : part === 0 ? "All of it is reported. " : `${share(part)} of it is estimated, the rest is reported. `;
  const covered = answer.coverage.share === null ? "No usage is loaded. " : `${share(answer.coverage.share)} of usage rows have an estimate. `;
  return `${sum}${estimated}${covered}Method ${answer.basis.method} ${answer.basis.method_version}, grid factors ${answer.basis.factor_set}.${part ? " Low and high are an estimate's bounds." : ""}`;
}

function columns(rows) {
  const names = Object.keys(rows[0] ?? {});
  return [
    ...names.filter((name) => TITLES[name]).map((name) => ({ title: TITLES[name], nowrap: name !== "service", cell: (row) => cell(name, row[name]) })),
    ...names.filter((name) => MASSES[name]).flatMap((name) => {
      const value = (row) => (BOUNDS.includes(name) && row.basis === "reported" ? null : row[name]);
      const values = rows.map(value);
      const write = column(values);
      return values.some((each) => each !== null) ? [{ title: MASSES[name], number: true, cell: (row) => write(value(row)) }] : [];
    }),
  ];
}

function cell(name, value) {
  if (value === null) return name === "provider_scope" ? "–" : "";
  return name === "month" ? value.slice(0, 7) : String(value);
}

function pager(answer, params) {
  if (!answer.total) return "";
  if (answer.total_pages < 2) return el("p", { class: "note" }, many(answer.total, "row"));
  const to = (page, text) =>
    page >= 1 && page <= answer.total_pages ? el("a", { class: "button", href: link("breakdown", { ...params, page: page === 1 ? null : page }) }, text) : null;
  return el(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    to(answer.page - 1, "Previous"),
    el("span", {}, `Page ${count(answer.page)} of ${count(answer.total_pages)} · ${many(answer.total, "row")}`),
    to(answer.page + 1, "Next"),
  );
}
