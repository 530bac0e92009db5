// Signing in with a key, and out. The session is a cookie that no script can read.
import { ask } from "./api.js";
import { at, busy, show, tell } from "./dom.js";
import { attempt, problem } from "./notice.js";

/** Whoever is signed in; null before. */
export let who = null;

/** Whether they may start, cancel and test. */
export const mayRun = () => who !== null && who.scopes.some((scope) => scope === "run" || scope === "admin");

/** Find out who is signed in. Returns false, and shows the form, where nobody is. */
export async function enter() {
  try {
    welcome(await ask("GET", "/session", { quiet: true }));
    return true;
  } catch (error) {
    if (error.status !== 401) throw error;
    lock("");
    return false;
  }
}

/** Show the form. `why`: what happened to the session before. */
export function lock(why) {
  who = null;
  show(at("door"), true);
  show(at("who"), false);
  tell(at("why"), why);
  show(at("why"), Boolean(why));
  at("key").focus();
}

/** Wire up the form and the button; `entered` is called once somebody is signed in, `left` when they go. */
export function wire(entered, left) {
  at("enter").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter ?? at("enter").querySelector("button");
    if (button.getAttribute("aria-disabled")) return;
    busy(button, true);
    try {
      welcome(await ask("POST", "/session", { body: { key: at("key").value }, quiet: true }));
      at("enter").reset();
      entered();
    } catch (error) {
      problem(at("refused"), error);
      at("key").select();
      at("key").focus();
    } finally {
      busy(button, false);
    }
  });
  at("leave").addEventListener("click", () =>
    attempt(at("unreadable"), async () => {
      await ask("DELETE", "/session", { quiet: true });
      left();
      lock("You are signed out.");
    }),
  );
}

function welcome(found) {
  who = found;
  show(at("door"), false);
  at("refused").replaceChildren();
  tell(at("name"), `${found.name} · ${found.org}`);
  show(at("leave"), !found.keyless);
  show(at("who"), true);
}
