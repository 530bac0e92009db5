// Numbers and times as people read them. Times are UTC.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumSignificantDigits: 3 });

export const count = (value) => whole.format(value);

/** "1 row", "2 rows". */
export const many = (value, one, more = `${one}s`) => `${count(value)} ${value === 1 ? one : more}`;

/** A share from 0 to 1. What is not all is not shown as all. */
export function share(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0.999 && value < 1) return ">99.9%";
  if (value > 0 && value < 0.001) return "<0.1%";
  return percent.format(value);
}

/** A writer for numbers of one column: four digits of the largest, the same places for all; `<0.1` is not zero. */
export function column(values) {
  const largest = Math.max(0, ...values.filter(given).map((value) => Math.abs(Number(value))));
  const before = largest > 0 ? Math.floor(Math.log10(largest)) + 1 : 1;
  const places = Math.min(8, Math.max(0, 4 - before));
  const format = new Intl.NumberFormat("en", { minimumFractionDigits: places, maximumFractionDigits: places });
  const least = 10 ** -places;
  return (value) => {
    if (!given(value)) return "";
    const number = Number(value);
    if (number !== 0 && Math.abs(number) < least) return number < 0 ? `>−${format.format(least)}` : `<${format.format(least)}`;
    return format.format(number).replace("-", "−");
  };
}

/** One number by itself, with up to five digits. */
export function number(value) {
  if (!given(value)) return "";
  const wide = Math.abs(Number(value)) >= 10000;
  const format = wide ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 5 };
  return new Intl.NumberFormat("en", format).format(Number(value)).replace("-", "−");
}

/** Kilograms in the unit that suits the largest of what stands beside them: [number, unit]. */
export function mass(kilograms, largest = kilograms) {
  const size = Math.abs(largest);
  const [unit, scale] = size >= 1e6 ? ["kt", 1e6] : size >= 1000 ? ["t", 1000] : size >= 1 || size === 0 ? ["kg", 1] : ["g", 0.001];
  const format = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  return [format.format(kilograms / scale).replace("-", "−"), `${unit} CO₂e`];
}

/** "2026-11-24 18:03 UTC" */
export function time(text) {
  return text ? `${new Date(text).toISOString().slice(0, 16).replace("T", " ")} UTC` : "–";
}

/** How long ago, roughly. */
export function ago(text, now = Date.now()) {
  const seconds = Math.max(0, (now - new Date(text)) / 1000);
  if (seconds < 90) return seconds < 10 ? "just now" : `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return many(Math.round(seconds / 86400), "day") + " ago";
}

/** How long something took, or has taken until now. */
export function took(from, until) {
  if (!from) return "–";
  const seconds = Math.max(0, ((until ? new Date(until) : new Date()) - new Date(from)) / 1000);
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A period as short as it is exact: 2026-01, 2026-01-05, or 2026-01-05 13:00 – 14:00. The end is exclusive. */
export function period(start, end) {
  if (!start) return "";
  const from = new Date(start);
  if (!end) return time(start);
  const until = new Date(end);
  const [first, last] = [from.toISOString(), until.toISOString()];
  const nextMonth = Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1);
  if (first.endsWith("-01T00:00:00.000Z") && until.getTime() === nextMonth) return first.slice(0, 7);
  if (first.endsWith("T00:00:00.000Z") && until - from === 86400000) return first.slice(0, 10);
  const [begins, ends] = [first, last].map((at) => at.slice(0, 16).replace("T", " "));
  return `${begins} – ${begins.slice(0, 10) === ends.slice(0, 10) ? ends.slice(11) : ends}`;
}

function given(value) {
  return value !== null && value !== undefined && value !== "";
}
