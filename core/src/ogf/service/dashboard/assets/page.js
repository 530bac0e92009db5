// The page: who is signed in, which view is shown, and what happens when something is loaded.
import * as activities from "./activities.js";
import { VIEWS, here, link, shared } from "./address.js";
import { signals } from "./api.js";
import * as breakdown from "./breakdown.js";
import * as connectors from "./connectors.js";
import { at, el, show, tell } from "./dom.js";
import * as figures from "./figures.js";
import * as filters from "./filters.js";
import * as jobs from "./jobs.js";
import { announce, attempt, problem } from "./notice.js";
import * as report from "./report.js";
import * as session from "./session.js";
import * as start from "./start.js";
import { many } from "./words.js";
import { known, refresh, rest, watch, work } from "./work.js";

const RETRY = 3000;
const DRAWN = { overview: figures.draw, report: report.draw, breakdown: breakdown.draw, activities: activities.draw };

let shown = null;

/** Show what the address asks for. `moved`: somebody went there, so the focus goes along. */
async function route({ moved = false } = {}) {
  if (!session.who) return;
  const now = here();
  for (const view of Object.keys(VIEWS)) show(at(view), view === now.view);
  at("views").replaceChildren(
    ...Object.entries(VIEWS).map(([view, title]) =>
      el("a", { href: link(view, shared(now.params)), "aria-current": view === now.view ? "page" : null }, title),
    ),
  );
  document.title = `${VIEWS[now.view]} · OffGridFlow`;
  at("unreadable").replaceChildren();
  at(now.view).firstElementChild.after(at("under-title"));
  filters.draw(now);
  if (now.view !== "report") report.leave();
  if (moved && shown !== now.view) {
    scrollTo(0, 0);
    at(`${now.view}-title`).focus({ preventScroll: true });
  }
  shown = now.view;
  await DRAWN[now.view](now.params);
}

async function entered({ moved = false } = {}) {
  show(at("filters"), true);
  show(at("views"), true);
  await Promise.all([watch(), attempt(at("unreadable"), filters.learn)]);
  await route({ moved });
}

function left() {
  rest();
  shown = null;
  report.forget();
  report.leave();
  for (const view of Object.keys(VIEWS)) show(at(view), false);
  at("main").append(at("under-title"));
  for (const id of ["figures", "months-drawn", "breakdown-body", "activities-body", "jobs"]) at(id).replaceChildren();
  at("unreadable").replaceChildren();
  show(at("filters"), false);
  show(at("views"), false);
}

async function open() {
  try {
    if (await session.enter()) await entered();
  } catch (error) {
    if (error.status === 0) setTimeout(open, RETRY);
    else problem(at("unreadable"), error, open);
  }
}

function drawWork() {
  at("jobs-said").replaceChildren();
  start.draw();
  connectors.draw();
  jobs.draw();
}

/** A job has ended: say so, and show what it loaded. */
async function jobEnded({ detail: job }) {
  announce(`${job.provider}: sync ${job.status}, ${many(job.row_count, "row")}${job.error ? `. ${job.error}` : ""}`);
  connectors.ended(job);
  report.forget();
  if (!session.who) return;
  await attempt(at("unreadable"), filters.learn);
  if (here().view === "overview") await figures.draw(here().params);
}

function cut(gone) {
  tell(at("banner"), gone ? "The server cannot be reached. What is shown may be old; this page goes on trying." : "");
  show(at("banner"), gone);
  if (!gone && session.who) {
    refresh();
    route();
  }
}

signals.addEventListener("unreachable", () => cut(true));
signals.addEventListener("reachable", () => cut(false));
signals.addEventListener("locked", ({ detail }) => {
  if (!session.who) return;
  left();
  session.lock(`You are signed out: ${detail.message}. Sign in again to go on where you were.`);
});
work.addEventListener("news", drawWork);
work.addEventListener("trouble", ({ detail }) => detail.status !== 0 && problem(at("jobs-said"), detail, refresh));
work.addEventListener("ended", jobEnded);
addEventListener("hashchange", () => route({ moved: true }));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("main").focus();
});
session.wire(() => entered({ moved: true }), left);
open();
