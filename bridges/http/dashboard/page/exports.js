// Buttons that save a whole list as a file.

import { download } from "./api.js";
import { el } from "./dom.js";
import { problemBox } from "./problem.js";
import { say } from "./toasts.js";

const FORMATS = [["csv", "CSV"], ["jsonl", "JSON Lines"]];

/** Buttons for each format of `exports/NAME` with the parameters that `asked()` returns. */
export function exportButtons(name, asked) {
  const trouble = el("span");
  return el("span", { class: "exports" }, el("span", { class: "muted", "aria-hidden": "true" }, "Save as"),
    FORMATS.map(([format, text]) => {
      const node = el("button", {
        type: "button", class: "small", "aria-label": `Save as ${text}`, async onclick() {
          node.disabled = true;
          trouble.replaceChildren();
          try {
            await download(`exports/${name}`, { ...asked(), format }, `${name}.${format}`);
            say(`${name}.${format} is saved.`);
          } catch (problem) {
            trouble.replaceChildren(problemBox(problem));
          } finally {
            node.disabled = false;
          }
        },
      }, text);
      return node;
    }), trouble);
}
