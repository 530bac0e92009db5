// The rows of `activities`, a page at a time by the key where the last one ended, and all of them as a file.
import { period } from "./address.js";
import { get, query } from "./api.js";
import { action, at, el } from "./dom.js";
import { announce, attempt } from "./notice.js";
import { table } from "./table.js";
import { column, count, many, number, period as within } from "./words.js";

const LIMIT = 50;
const FORMATS = { csv: "CSV", parquet: "Parquet" };

/** The pages before this one and this one: {after: the key it begins at, first: how many rows came before}. */
let pages = [];

/** Show the first page for these parameters. */
export async function draw(params) {
  const given = filters(params);
  at("downloads").replaceChildren(
    ...Object.entries(FORMATS).map(([form, title]) => action(`Download ${title}`, () => download(given, form), { id: `download-${form}` })),
  );
  await turn(given, [{ after: null, first: 0 }]);
}

function filters(params) {
  const { provider, stream, service, region, account_id } = params;
  return { ...period(params), provider, stream, service, region, account_id };
}

async function turn(given, wanted) {
  await attempt(at("activities-said"), async () => {
    const { after, first } = wanted.at(-1);
    const { data, next } = await get("/api/activities", { ...given, limit: LIMIT, after });
    pages = wanted;
    const nothing = Object.values(given).some(Boolean)
      ? "No activities for these filters. Clear them to see all."
      : "No activities are loaded yet: press Sync on the overview.";
    at("activities-body").replaceChildren(table(`Activities, rows ${count(first + 1)} to ${count(first + data.length)}`, columns(data), data, nothing), pager(given, data.length, first, next));
    announce(data.length ? `Rows ${count(first + 1)} to ${count(first + data.length)}` : "No rows");
  }, { retry: true });
}

/** A file of every row. It is asked for with one row first, so that what is wrong is said here and not in a file. */
async function download(given, form) {
  await attempt(at("activities-said"), async () => {
    await get("/api/activities", { ...given, limit: 1 });
    const link = el("a", { href: `/api/activities${query({ ...given, format: form })}`, download: `activities.${form}` });
    link.click();
    announce(`The download of activities.${form} begins`);
  });
}

function columns(rows) {
  const carbon = column(rows.map((row) => row.emissions_kgco2e));
  return [
    { title: "Period (UTC)", nowrap: true, cell: (row) => within(row.period_start, row.period_end) },
    { title: "Provider", nowrap: true, cell: (row) => row.provider },
    { title: "Stream", nowrap: true, cell: (row) => row.stream },
    { title: "Account", nowrap: true, cell: (row) => row.account_name || row.account_id },
    { title: "Service", nowrap: true, cell: (row) => row.service },
    { title: "Usage type", cell: (row) => row.usage_type },
    { title: "Region", nowrap: true, cell: (row) => row.region },
    { title: "Quantity", number: true, cell: (row) => number(row.quantity) },
    { title: "Unit", nowrap: true, cell: (row) => row.unit },
    { title: "Cost", number: true, cell: (row) => number(row.cost) },
    { title: "Currency", cell: (row) => (row.cost === null ? "" : row.currency) },
    { title: "Reported kg CO₂e", number: true, cell: (row) => carbon(row.emissions_kgco2e) },
    { title: "Scope", number: true, cell: (row) => row.provider_scope?.toString() },
    { title: "Accounting", nowrap: true, cell: (row) => (row.emissions_kgco2e === null ? "" : (row.accounting ?? "both")) },
  ];
}

function pager(given, shown, first, next) {
  if (!shown) return "";
  const said = next || pages.length > 1 ? `Rows ${count(first + 1)} to ${count(first + shown)}${next ? ", more follow" : ", the last ones"}` : many(shown, "row");
  const back = pages.length > 1 && action("Previous", () => turn(given, pages.slice(0, -1)));
  const forth = next && action("Next", () => turn(given, [...pages, { after: next, first: first + shown }]));
  return el("nav", { class: "pager", "aria-label": "Pages" }, back, el("span", {}, said), forth);
}
