// The attempts of a saga's steps and compensations, derived from its story.

import { seconds } from "./format.js";
import { kind } from "./story.js";

const RESULTS = {
  step_completed: "done", step_failed: "failed", step_timed_out: "no answer",
  step_undone: "undone", undo_timed_out: "no answer", step_refused: "refused",
};
const GOING = {
  SENT: "waits", ASKED: "asked for the outcome", BACKOFF: "will be sent again", STUCK: "stuck",
  UNDO_SENT: "waits", UNDO_BACKOFF: "will be sent again", UNDO_STUCK: "stuck",
};

/**
 * Every attempt, in the order of their beginning: `{step, undo, attempt, began, ended, result}`,
 * times in seconds since the start of the saga, `ended` null while it lasts. A command without a
 * reply has no length.
 */
export function attemptsOf(saga, story) {
  const start = seconds(saga.startedAt);
  const found = [];
  const open = new Map();
  const begin = (step, undo, attempt, began) => {
    const each = { step, undo, attempt, began: Math.max(0, began), ended: null, result: "waits" };
    found.push(each);
    open.set(`${step}|${undo}`, each);
    return each;
  };
  let before = 0;
  for (const entry of story) {
    const name = kind(entry.event);
    if (name === "message_ignored") continue;
    const undo = name.includes("undo") || name === "step_undone";
    const key = `${entry.step}|${undo}`;
    if (name.endsWith("_retried") || name === "waiting") {
      begin(entry.step, undo, entry.attempt || 1, entry.offset);
    } else if (RESULTS[name]) {
      const length = entry.details.took ?? entry.details.waited;
      const began = typeof length === "number" ? entry.offset - length : before;
      const each = open.get(key) ?? begin(entry.step, undo, entry.attempt || 1, began);
      Object.assign(each, { ended: entry.offset, result: RESULTS[name] });
      open.delete(key);
    } else if (name === "step_skipped") {
      Object.assign(begin(entry.step, false, 0, entry.offset), { ended: entry.offset, result: "skipped" });
      open.delete(`${entry.step}|false`);
    }
    for (const { step, undo: isUndo } of sentBy(entry)) {
      if (open.has(`${step}|${isUndo}`)) continue;
      // The count of attempts continues when an operator retries a step.
      const last = found.findLast((each) => each.step === step && each.undo === isUndo);
      begin(step, isUndo, last ? last.attempt + 1 : 1, entry.offset);
    }
    before = entry.offset;
  }
  for (const { step, phase, attempt, since } of saga.steps) {
    const undo = phase.startsWith("UNDO_");
    const known = open.get(`${step}|${undo}`);
    if (GOING[phase]) {
      const last = found.findLast((each) => each.step === step && each.undo === undo);
      const isOver = last && last.ended !== null && last.attempt === attempt;
      const each = known ?? (isOver ? last : begin(step, undo, attempt || 1, seconds(since) - start));
      if (each.ended === null) each.result = GOING[phase];
      else if (phase.endsWith("STUCK")) each.result = "stuck";
    } else if (phase === "DONE" && since && !found.some((each) => each.step === step && !each.undo)) {
      const at = seconds(since) - start;
      Object.assign(begin(step, false, attempt, at), { ended: Math.max(0, at), result: attempt ? "sent" : "done" });
    }
  }
  // For an attempt that was given up, no end is recorded: it ends with its compensation or the saga.
  for (const each of found) {
    const isGoing = saga.steps.some((step) => step.step === each.step && GOING[step.phase] && each.undo === step.phase.startsWith("UNDO_"));
    if (each.ended !== null || isGoing) continue;
    const undone = found.find((other) => other.step === each.step && other.undo && !each.undo);
    each.ended = Math.max(each.began, undone?.began ?? before);
    each.result = "no answer";
  }
  const place = new Map(saga.steps.map(({ step }, i) => [step, i]));
  return found.sort((a, b) => a.began - b.began || place.get(a.step) - place.get(b.step));
}

/** The steps whose command or compensation an entry sent, from the log lines or the messages. */
function sentBy({ details, undoing, sent = [] }) {
  if (details.sent?.length) return details.sent.map((step) => ({ step, undo: undoing }));
  return sent.filter((each) => each.step && each.attempt === 1).map(({ step, eventId }) => ({ step, undo: eventId.includes(`/${step}:undo/`) }));
}
