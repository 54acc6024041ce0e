// A section of a view, with a focusable heading.

import { el } from "./dom.js";

/** Shown before data has been loaded: unknown is not zero. */
export const UNKNOWN = "Not known yet.";

/** A section labelled by its heading. */
export function section(id, title, ...children) {
  return el(
    "section",
    { id: `${id}-section`, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title`, tabindex: "-1" }, ...title),
    ...children,
  );
}
