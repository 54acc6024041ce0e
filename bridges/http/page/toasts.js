// Short words about what was done; a screen reader says them too.

import { el } from "./dom.js";

const SHOWN = 8000;

/** Say it, and take it away after a while. */
export function say(text) {
  const toast = el("p", { class: "toast" }, text);
  document.getElementById("toasts").append(toast);
  setTimeout(() => toast.remove(), SHOWN);
}
