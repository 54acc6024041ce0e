// Services that somebody has paused.

import { el } from "./dom.js";

/** The section; hidden while nothing is paused. */
export function pausedSection() {
  const node = el("section", { id: "paused-section", hidden: true });
  return { node, leave: () => {} };
}
