// Dialogs: the browser's <dialog>, which traps the focus and restores it on close.

import { el } from "./dom.js";
import { problemBox } from "./problem.js";

/**
 * Open a dialog with a form. On submit, `send(form)` is awaited; the dialog closes if it succeeds,
 * and shows the problem if it fails. Without `send`, there is nothing but to close it.
 */
export function openDialog({ title, text, fields, submit = "", send = null, extra = null, danger = false, problem = null }) {
  const errors = el("div", {}, problem ? problemBox(problem) : null);
  const go = send && el("button", { type: "submit", class: danger ? "primary danger" : "primary" }, submit);
  const cancel = el("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const form = el(
    "form",
    { method: "dialog", novalidate: true },
    el("h2", { id: "dialog-title" }, title),
    text ? el("p", { class: "muted" }, text) : null,
    fields,
    errors,
    el("div", { class: "buttons" }, extra ? extra(() => dialog.close()) : null, cancel, go),
  );
  const dialog = el("dialog", { "aria-labelledby": "dialog-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!go || go.disabled) return;
    go.disabled = true;
    errors.replaceChildren();
    try {
      await send(new FormData(form));
      dialog.close();
    } catch (problem) {
      errors.replaceChildren(problemBox(problem.status === undefined ? { detail: problem.message } : problem));
      go.disabled = false;
      form.querySelector("textarea, input")?.focus();
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
