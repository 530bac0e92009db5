// Asking the service. Every failure is a Problem with a message and, mostly, what to do.

/** Tells `locked` when a session is needed, `unreachable` and `reachable` when the server goes and comes. */
export const signals = new EventTarget();

let reached = true;

/** An answer that is no success. `status` is 0 where there was no answer. */
export class Problem extends Error {
  constructor(status, { message, detail, requestId }) {
    super(message);
    this.status = status;
    this.detail = detail;
    this.requestId = requestId;
  }
}

/** A query with its names in order; what is empty is left out. */
export function query(given) {
  const pairs = Object.entries(given).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

/** Ask, and get JSON. `quiet`: a 401 is the caller's business. */
export async function ask(method, path, { body, quiet } = {}) {
  const answer = await send(method, path, body, quiet);
  return answer.status === 204 ? null : answer.json();
}

export const get = (path, given = {}) => ask("GET", path + query(given));

/** Ask, and get a text. */
export async function text(path, given = {}) {
  return (await send("GET", path + query(given))).text();
}

async function send(method, path, body, quiet) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    turn(false);
    throw new Problem(0, {
      message: "The server cannot be reached.",
      detail: "Look whether ogf serve still runs, and whether this machine is on the network.",
    });
  }
  turn(true);
  if (answer.ok) return answer;
  const problem = await read(answer);
  if (problem.status === 401 && !quiet) {
    problem.told = true; // by the form that asks for a key
    signals.dispatchEvent(new CustomEvent("locked", { detail: problem }));
  }
  throw problem;
}

async function read(answer) {
  try {
    return new Problem(answer.status, (await answer.json()).error);
  } catch {
    return new Problem(answer.status, {
      message: `The server answered ${answer.status} ${answer.statusText}, and nothing that this page can read.`,
      detail: "Something between this page and ogf serve may have answered instead of it.",
    });
  }
}

function turn(now) {
  if (now !== reached) signals.dispatchEvent(new Event(now ? "reachable" : "unreachable"));
  reached = now;
}
