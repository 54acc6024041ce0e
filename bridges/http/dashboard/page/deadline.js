// The time until a deadline, or since it passed.

import { setAttribute, setText } from "./dom.js";
import { fullMoment, roughly, seconds } from "./format.js";
import { now } from "./live.js";

/** Show a deadline in a node: `in 12 s`, `now`, or `3 s ago`. */
export function showDeadline(node, deadline, none = "") {
  if (!deadline) {
    setText(node, none);
    setAttribute(node, "data-late", null);
    return;
  }
  const left = seconds(deadline) - now();
  const soon = left >= 0 ? `in ${roughly(left)}` : `${roughly(-left)} ago`;
  setText(node, Math.abs(left) < 0.5 ? "now" : soon);
  setAttribute(node, "data-late", left < -1 ? "" : null);
  setAttribute(node, "title", fullMoment(deadline));
}
