// The connectors as cards: how each stands, and its buttons. Cards are changed in place, so that the focus stays.
import { action, at, busy, el, show, tell } from "./dom.js";
import { announce, attempt, problem, remark } from "./notice.js";
import { bar } from "./progress.js";
import { mayRun } from "./session.js";
import { ago, count, many, share, time } from "./words.js";
import { cancel, jobOf, known, sync, syncAll, test } from "./work.js";

const SAID = { disconnected: "never synced", running: "running", connected: "connected", error: "error" };

const cards = new Map();
let buttons = null;

/** Show what is known now. */
export function draw() {
  const place = at("connectors");
  const names = known.connectors.map((each) => each.name);
  if ([...cards.keys()].join() !== names.join() || buttons !== mayRun()) {
    cards.clear();
    buttons = mayRun();
    names.forEach((name) => cards.set(name, card(name)));
    place.replaceChildren(...[...cards.values()].map((each) => each.node));
    above();
  }
  known.connectors.forEach((each) => cards.get(each.name).update(each));
  if (!names.length) place.replaceChildren(el("p", { class: "nothing" }, "No provider is installed. Install one, as in pip install ogf-aws, and restart ogf serve."));
}

/** Say in its card how a job has ended; what went wrong stands there anyway. */
export function ended(job) {
  const said = cards.get(job.provider)?.said;
  if (!said || job.error) return;
  const nothing = job.status === "succeeded" && !job.progress.partitions_total;
  const loaded = nothing ? "nothing was new" : `${many(job.row_count, "row")} loaded`;
  remark(said, `Sync ${job.status}: ${loaded}.`, job.status === "succeeded" ? "success" : "remark");
}

function above() {
  const said = at("connectors-said");
  if (mayRun()) {
    at("everything").replaceChildren(action("Sync all", everything, { id: "sync-all" }));
    said.replaceChildren();
  } else {
    at("everything").replaceChildren();
    remark(said, "This key may only read. Syncs need a key with the scope run: ogf token create --name NAME --scope run.");
  }
}

async function everything() {
  const said = at("connectors-said");
  const wanted = known.connectors.filter((each) => each.enabled).length;
  said.replaceChildren();
  await attempt(said, async () => {
    const jobs = await syncAll();
    const names = jobs.map((job) => job.provider).join(", ");
    const rest = jobs.length < wanted ? ` ${count(wanted - jobs.length)} enabled could not begin: sync them one by one to see why.` : "";
    remark(said, `Under way: ${names}.${rest}`);
  });
}

function card(name) {
  const id = `connector-${name}`;
  const state = el("span", { class: "state" });
  const facts = Object.fromEntries(["success", "rows", "coverage", "issues"].map((fact) => [fact, el("dd")]));
  const error = el("div", { class: "cause" });
  const said = el("div");
  const progress = bar(`Progress of ${name}`);
  const hint = el("p", { class: "note" });
  const start = el("button", { type: "button", class: "main", "aria-label": `Sync ${name}` }, "Sync");
  const stop = action("Cancel", () => attempt(said, () => cancel(jobOf(name))), { "aria-label": `Cancel the sync of ${name}` });
  const attemptTest = action("Test", () => tried(name, said), { "aria-label": `Test ${name}` });
  start.addEventListener("click", async () => {
    if (start.getAttribute("aria-disabled")) return;
    busy(start, true);
    said.replaceChildren();
    announce(`${name}: sync asked for`);
    await attempt(said, () => sync(name));
    draw();
  });
  const node = el(
    "article",
    { class: "card", "aria-labelledby": id },
    el("div", { class: "line" }, el("h3", { id }, name), state),
    el(
      "dl",
      {},
      el("div", {}, el("dt", {}, "Last success"), facts.success),
      el("div", {}, el("dt", {}, "Rows"), facts.rows),
      el("div", {}, el("dt", {}, "Usage with an estimate"), facts.coverage),
      el("div", {}, el("dt", {}, "Partitions with issues"), facts.issues),
    ),
    error,
    progress.node,
    hint,
    said,
    mayRun() && el("div", { class: "buttons" }, start, stop, attemptTest),
  );
  return {
    node,
    said,
    update(each) {
      const job = jobOf(name);
      const shown = job ? "running" : each.status;
      state.className = `state ${shown}`;
      tell(state, job?.status === "queued" ? "queued" : (SAID[shown] ?? shown));
      tell(facts.success, each.last_success_at ? `${time(each.last_success_at)}\n${ago(each.last_success_at)}` : "never");
      tell(facts.rows, count(each.rows));
      tell(facts.coverage, each.coverage === null ? "no usage loaded" : share(each.coverage));
      tell(facts.issues, count(each.issues));
      show(error, Boolean(each.last_error) && !job);
      tell(error, each.last_error ?? "");
      show(progress.node, Boolean(job));
      if (job) progress.update(job);
      busy(start, Boolean(job));
      tell(start, job ? "Syncing…" : "Sync");
      show(start, each.configured || Boolean(job));
      show(stop, Boolean(job));
      const why = each.configured ? (each.enabled ? "" : "Not enabled: Sync all and schedules leave it out.") : "Not configured: Test says which settings are missing.";
      tell(hint, why);
      show(hint, Boolean(why));
    },
  };
}

async function tried(name, said) {
  remark(said, "Trying…");
  try {
    const found = await test(name);
    if (found.status === "ok") remark(said, "Reached: credentials, permissions and one listing are fine.", "success");
    else problem(said, Object.assign(new Error(found.message ?? "it cannot be reached"), { status: 200, detail: found.hint }));
  } catch (error) {
    problem(said, error);
  }
}
