// How far a job has come: a bar, and the same in words.
import { el, tell } from "./dom.js";
import { count, many } from "./words.js";

/** "3 of 12 partitions · 1,200 rows read · cur 2026-01" */
export function words(job) {
  if (job.status === "queued") return "Waiting for its turn";
  const { partitions_total: total, partitions_done: done, partitions_failed: failed, rows, doing } = job.progress;
  if (!total) return "Looking for what is new";
  const parts = [`${count(done)} of ${many(total, "partition")}`, `${many(rows, "row")} read`];
  if (failed) parts.push(`${count(failed)} failed`);
  if (doing) parts.push(doing);
  return parts.join(" · ");
}

/** A bar with its words: {node, update(job)}. */
export function bar(label) {
  const line = el("progress", { "aria-label": label });
  const text = el("p", { class: "note" });
  const node = el("div", { class: "progress" }, line, text);
  return {
    node,
    update(job) {
      const { partitions_total: total, partitions_done: done } = job.progress;
      if (total) {
        line.max = total;
        line.value = done;
      } else {
        line.removeAttribute("value");
      }
      tell(text, words(job));
      text.title = text.textContent;
    },
  };
}
