// The bearer token: stored for this tab, and sent with every request.

import { token } from "./api.js";
import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";

/** Ask for the token; `changed()` is called if it is replaced. `problem` is shown in the dialog. */
export function askToken(changed, text = "", problem = null) {
  if (document.querySelector("dialog[open]")) return;
  openDialog({
    title: "Token",
    text: text || "Get one from the person who runs this server. It is kept in this tab only, until the tab is closed.",
    submit: "Use it",
    problem,
    fields: [
      el("label", { for: "bearer" }, "Bearer token"),
      el("input", { id: "bearer", name: "bearer", type: "password", autocomplete: "off", spellcheck: "false", value: token.get(), autofocus: true }),
    ],
    extra: (close) =>
      token.get()
        ? el("button", { type: "button", onclick: () => { token.set(""); close(); changed(); } }, "Forget it")
        : null,
    async send(form) {
      const given = form.get("bearer").trim();
      if (/[^\x21-\x7e]/.test(given)) throw new Error("A token consists of ASCII characters without spaces.");
      token.set(given);
      changed();
    },
  });
}
