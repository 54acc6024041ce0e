// A part of a view, with a heading that can be given the focus.

import { el } from "./dom.js";

/** A section named by its heading. */
export function section(id, title, ...children) {
  return el(
    "section",
    { id: `${id}-section`, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title`, tabindex: "-1" }, ...title),
    ...children,
  );
}
