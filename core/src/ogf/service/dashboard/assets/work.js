// Connectors, jobs and runs as the service last told of them: asked every second while a job is under way, else slower.
import { ask, get } from "./api.js";

/** Tells `news` after every answer, `ended` with a job that has ended, `trouble` with what went wrong. */
export const work = new EventTarget();

export const known = { connectors: [], jobs: [], runs: [] };

const FAST = 1000;
const SLOW = 15000;
const AGAIN = 3000;
const MOST_JOBS = 20;

/** Jobs that were asked for here: their end is told even if it comes before they were seen under way. */
const awaited = new Set();

let timer = null;
let watching = false;

export const underWay = (job) => job.finished_at === null;

/** Begin to watch; what is known is asked for at once. */
export async function watch() {
  watching = true;
  await refresh();
}

export function rest() {
  watching = false;
  clearTimeout(timer);
  Object.assign(known, { connectors: [], jobs: [], runs: [] });
}

/** Ask for everything anew. */
export async function refresh() {
  await turn(async () => {
    const [connectors, jobs, runs] = await Promise.all([
      get("/api/connectors"),
      get("/api/jobs", { limit: MOST_JOBS }),
      get("/api/ingestion/logs", { limit: MOST_JOBS }),
    ]);
    const before = new Map(known.jobs.map((job) => [job.job_id, job]));
    Object.assign(known, { connectors, jobs, runs });
    for (const job of jobs) {
      if (underWay(job)) continue;
      const was = before.get(job.job_id);
      if (awaited.delete(job.job_id) || (was && underWay(was))) tell("ended", job);
    }
  });
}

/** Start a sync of one provider. */
export async function sync(provider) {
  const job = await ask("POST", `/api/connectors/sync/${encodeURIComponent(provider)}`);
  awaited.add(job.job_id);
  await refresh();
}

/** Start a sync of every enabled provider; returns those that began or go on. */
export async function syncAll() {
  const { jobs } = await ask("POST", "/api/connectors/run");
  jobs.forEach((job) => awaited.add(job.job_id));
  await refresh();
  return jobs;
}

/** End a job after its page. */
export async function cancel(job) {
  await ask("DELETE", `/api/jobs/${encodeURIComponent(job.job_id)}`);
  await refresh();
}

/** Try a provider, and load nothing. */
export const test = (provider) => ask("POST", `/api/connectors/test?name=${encodeURIComponent(provider)}`);

/** The job of a provider that is under way. */
export const jobOf = (provider) => known.jobs.find((job) => job.provider === provider && underWay(job));

async function follow() {
  const live = known.jobs.filter(underWay);
  if (!live.length) {
    if (document.hidden) schedule(SLOW);
    else await refresh();
    return;
  }
  let ended = false;
  await turn(async () => {
    const told = await Promise.all(live.map((job) => get(`/api/jobs/${encodeURIComponent(job.job_id)}`)));
    const fresh = new Map(told.map((job) => [job.job_id, job]));
    ended = told.some((job) => !underWay(job));
    if (!ended) known.jobs = known.jobs.map((job) => fresh.get(job.job_id) ?? job);
  });
  if (ended) await refresh();
}

async function turn(does) {
  clearTimeout(timer);
  try {
    await does();
    if (watching) tell("news");
  } catch (error) {
    if (watching) tell("trouble", error);
    if (!(error.status >= 0)) console.error(error);
    schedule(AGAIN);
    return;
  }
  schedule(known.jobs.some(underWay) ? FAST : SLOW);
}

function schedule(milliseconds) {
  clearTimeout(timer);
  if (watching) timer = setTimeout(follow, milliseconds);
}

function tell(name, detail) {
  work.dispatchEvent(new CustomEvent(name, { detail }));
}

document.addEventListener("visibilitychange", () => {
  if (watching && !document.hidden) follow();
});
