// The latest syncs: jobs of the service, and runs of `ogf run` beside them. Rows are changed in place.
import { action, at, el, show, tell } from "./dom.js";
import { attempt } from "./notice.js";
import { words } from "./progress.js";
import { mayRun } from "./session.js";
import { count, time, took } from "./words.js";
import { cancel, known, underWay } from "./work.js";

const MOST = 12;

const rows = new Map();

/** Show what is known now. */
export function draw() {
  const found = listed();
  if (!found.length) {
    rows.clear();
    at("jobs").replaceChildren(el("p", { class: "nothing" }, "Nothing was synced yet."));
    return;
  }
  for (const id of [...rows.keys()]) if (!found.some((each) => each.id === id)) rows.delete(id);
  for (const each of found) {
    if (!rows.has(each.id)) rows.set(each.id, row());
    rows.get(each.id).update(each);
  }
  const wanted = found.map((each) => rows.get(each.id).node);
  let list = at("jobs").querySelector("ol");
  if (!list) {
    list = el("ol", { class: "jobs" });
    at("jobs").replaceChildren(list);
  }
  if (wanted.length !== list.children.length || wanted.some((node, place) => list.children[place] !== node)) list.replaceChildren(...wanted);
}

/** Jobs and other runs in one form, newest first. */
function listed() {
  const own = new Set(known.jobs.map((job) => job.run_id));
  const live = new Set(known.jobs.filter(underWay).map((job) => job.provider));
  const jobs = known.jobs.map((job) => ({
    id: job.job_id, job, provider: job.provider, status: job.status, began: job.started_at, ended: job.finished_at,
    at: job.requested_at, by: job.trigger === "schedule" ? "schedule" : job.requested_by, total: job.progress.partitions_total,
    done: job.progress.partitions_done, rows: job.row_count, rejected: job.rejected, error: job.error, hint: job.hint,
  }));
  const runs = known.runs
    .filter((run) => !own.has(run.id) && !(live.has(run.provider) && run.completed === null))
    .map((run) => ({
      id: run.id, provider: run.provider, status: run.status, began: run.started, ended: run.completed, at: run.started, by: "ogf run",
      total: run.processed, done: run.succeeded, rows: run.rows, rejected: run.rejected, error: run.errors.join(" "), hint: "",
    }));
  return [...jobs, ...runs].sort((a, b) => new Date(b.at) - new Date(a.at)).slice(0, MOST);
}

function row() {
  const state = el("span", { class: "state" });
  const provider = el("strong");
  const when = el("span");
  const facts = el("span", { class: "note" });
  const error = el("p", { class: "cause" });
  const hint = el("p", { class: "hint" });
  const said = el("div");
  let job = null;
  const stop = action("Cancel", () => attempt(said, () => cancel(job)), { class: "quiet" });
  const node = el(
    "li",
    {},
    el("div", { class: "job" }, provider, state, when, facts, stop),
    error,
    hint,
    said,
  );
  return {
    node,
    update(each) {
      job = each.job;
      const live = each.ended === null;
      state.className = `state ${each.status}`;
      tell(state, each.status);
      tell(provider, each.provider);
      tell(when, time(each.at));
      tell(facts, live ? `${job ? words(job) : "Under way"} · by ${each.by}` : ended(each));
      show(stop, live && Boolean(job) && mayRun());
      stop.setAttribute("aria-label", `Cancel the sync of ${each.provider}`);
      tell(error, each.error ?? "");
      show(error, Boolean(each.error));
      tell(hint, each.hint ?? "");
      show(hint, Boolean(each.hint));
    },
  };
}

function ended(each) {
  const parts = [];
  if (each.began) parts.push(`took ${took(each.began, each.ended)}`);
  if (each.total) parts.push(`${count(each.done)} of ${count(each.total)} partitions`, `${count(each.rows)} rows`);
  else if (each.status === "succeeded") parts.push("nothing new");
  if (each.rejected) parts.push(`${count(each.rejected)} refused`);
  parts.push(`by ${each.by}`);
  return parts.join(" · ");
}
