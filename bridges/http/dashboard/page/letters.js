// Polls the open dead letters; at intervals, since each request reads the log.

import { get } from "./api.js";

const EVERY = 10_000;
const MOST = 100;

/** Dispatches a `change` event when the result is updated. */
export const changed = new EventTarget();

let known = { page: null, problem: null };
let timer = 0;

/** The latest result: a page, or a problem. */
export const latest = () => known;

/** Request now, then every few seconds while the page is visible. */
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
