// Elements. Data becomes text nodes, never markup.

/** The element of an id. */
export const at = (id) => document.getElementById(id);

/** A new element. `given`: attributes, and listeners as on<event>; null, undefined and false are left out. */
export function el(name, given = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Set a text, only where it is another: a screen reader repeats what is set. */
export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show or hide. */
export function show(element, shown) {
  element.hidden = !shown;
}

/** A button that works but says that it is at work: it keeps the focus, as one that is disabled would not. */
export function busy(button, working) {
  if (working) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}

/** Do something at a click, and not a second time while it goes on. */
export function action(text, does, given = {}) {
  const button = el("button", { type: "button", ...given }, text);
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled")) return;
    busy(button, true);
    try {
      await does(button);
    } finally {
      busy(button, false);
    }
  });
  return button;
}
