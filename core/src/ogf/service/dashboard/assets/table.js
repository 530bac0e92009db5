// A table that scrolls by itself where it is wider than the page, and says so when it is empty.
import { el } from "./dom.js";

/**
 * @param columns [{title, cell(row), number?, nowrap?}] `cell` gives a text, or a node
 * @param empty what is said where there are no rows
 */
export function table(caption, columns, rows, empty) {
  if (!rows.length) return el("p", { class: "nothing" }, empty);
  const kind = (column) => (column.number ? "n" : column.nowrap ? "w" : null);
  return el(
    "div",
    { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, columns.map((column) => el("th", { scope: "col", class: kind(column) }, column.title)))),
      el(
        "tbody",
        {},
        rows.map((row) => el("tr", {}, columns.map((column) => el("td", { class: kind(column) }, column.cell(row) ?? "")))),
      ),
    ),
  );
}
