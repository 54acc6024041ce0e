// Data that is requested at intervals while a view shows it and the page is visible.

import { get } from "./api.js";

/** Request now and every `every` milliseconds; `show({data, problem})` gets the latest result. */
export function polled(path, parameters, every, show) {
  const leave = new AbortController();
  let timer = 0;
  let data = null;
  async function ask() {
    clearTimeout(timer);
    timer = setTimeout(ask, every);
    if (document.hidden && data) return;
    try {
      data = await get(path, parameters, leave.signal);
      show({ data, problem: null });
    } catch (problem) {
      if (problem.name !== "AbortError") show({ data, problem });
    }
  }
  ask();
  return {
    again: ask,
    stop() {
      clearTimeout(timer);
      leave.abort();
    },
  };
}
