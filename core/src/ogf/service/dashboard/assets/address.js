// Which view is shown and what it is about, kept in the address: #/activities?provider=aws. Back and bookmarks work.

export const VIEWS = { overview: "Overview", report: "Report", breakdown: "Breakdown", activities: "Activities" };

/** What stays when another view is chosen. */
const SHARED = ["provider", "from", "to"];

/** The view and its parameters as the address says; the overview where it says neither. */
export function here() {
  const [, name, given] = /^#\/([a-z]+)(?:\?(.*))?$/.exec(location.hash) ?? [];
  if (VIEWS[name]) return { view: name, params: Object.fromEntries(new URLSearchParams(given)) };
  if (location.pathname === "/emissions") return { view: "breakdown", params: asked(location.search) };
  return { view: "overview", params: {} };
}

/** The address of a view. */
export function link(view, params = {}) {
  const words = new URLSearchParams(Object.entries(params).filter(([, value]) => value));
  return `#/${view}${words.size ? `?${words}` : ""}`;
}

/** The parameters that another view shares with these. */
export function shared(params) {
  return Object.fromEntries(SHARED.filter((name) => params[name]).map((name) => [name, params[name]]));
}

/** The API's names of the period: its end is exclusive, ours is the last month. */
export function period({ from, to }) {
  return { start_date: from, end_date: to && month(to, 1) };
}

/** The month so many months after one. */
export function month(text, later) {
  const [year, number] = text.split("-").map(Number);
  return new Date(Date.UTC(year, number - 1 + later)).toISOString().slice(0, 7);
}

function asked(search) {
  const { start_date: start, end_date: end, ...rest } = Object.fromEntries(new URLSearchParams(search));
  return { ...rest, from: start?.slice(0, 7), to: end && month(end.slice(0, 7), -1) };
}
