// Short confirmations, which screen readers announce too.

import { el } from "./dom.js";

const SHOWN = 8000;

/** Show a message, and remove it after some seconds. */
export function say(text) {
  const toast = el("p", { class: "toast" }, text);
  document.getElementById("toasts").append(toast);
  setTimeout(() => toast.remove(), SHOWN);
}
