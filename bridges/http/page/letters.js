// The dead letters that nobody has seen to: looked at now and then, since the log has to be read.

import { get } from "./api.js";

const EVERY = 10_000;
const MOST = 100;

/** Tells `change`. */
export const changed = new EventTarget();

let known = { page: null, problem: null };
let timer = 0;

/** What was found last: a page, or a problem. */
export const latest = () => known;

/** Look now, and from then on every few seconds while the page is seen. */
export async function refresh() {
  clearTimeout(timer);
  timer = setTimeout(refresh, EVERY);
  if (document.hidden && known.page) return;
  try {
    known = { page: await get("dead-letters", { limit: MOST }), problem: null };
  } catch (problem) {
    known = { page: known.page, problem };
  }
  changed.dispatchEvent(new Event("change"));
}
