// Loads the details of one saga: definition, waits, messages, timeline from the logs.

import { get, part } from "./api.js";
import { live } from "./live.js";

/** Seconds after which data that depends on other sagas is read again. */
const OTHERS = 5;

/** `load(saga, signal)` returns the details of a saga, read again only if they may differ. */
export function detailsOf() {
  const known = new Map();
  return {
    get: (sagaId) => known.get(sagaId)?.details,
    async load(saga, signal) {
      const key = JSON.stringify([saga.history.length, saga.steps, live.snapshot?.paused.map((each) => [each.name, each.since])]);
      const last = known.get(saga.sagaId);
      const others = last?.details.waits.some((each) => each.kind === "lock" || each.kind === "child");
      if (last?.key === key && !(others && Date.now() - last.at > OTHERS * 1000)) return last.details;
      const details = await get(`sagas/${part(saga.sagaId)}`, { messages: "true" }, signal);
      known.set(saga.sagaId, { key, details, at: Date.now() });
      return details;
    },
  };
}
