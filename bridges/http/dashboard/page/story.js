// The story of a saga, built from its stored history and completed with details from the logs.

import { duration, seconds } from "./format.js";

/**
 * The entries of a saga's history, oldest first, each with `at`, `event`, `step`, `attempt`,
 * `cause`, `note`, `undoing`, and `details` if the logs still have them.
 */
export function storyOf(saga, timeline) {
  const logged = new Map();
  const known = timeline?.sagas?.find((each) => each.sagaId === saga.sagaId);
  for (const line of known?.transitions ?? []) {
    const key = keyOf(line);
    if (!logged.has(key)) logged.set(key, []);
    logged.get(key).push(line);
  }
  const entries = saga.history.map((entry) => {
    const line = logged.get(keyOf(entry))?.shift();
    return { ...entry, at: seconds(entry.at), details: line?.details ?? {} };
  });
  // The history has one entry for repetitions, and leaves out events without an effect.
  const kept = new Set(saga.history.map(keyOf));
  for (const [key, lines] of logged) {
    if (!key.startsWith(IGNORED) || kept.has(key)) continue;
    for (const line of lines.filter((each) => each.at)) {
      entries.push({
        at: seconds(line.at), offset: line.offset ?? seconds(line.at) - seconds(saga.startedAt), event: line.event, step: line.step ?? "", attempt: line.attempt ?? 0,
        cause: line.cause ?? "", note: line.details.reason ?? "", details: line.details,
      });
    }
  }
  entries.sort((a, b) => a.at - b.at);  // stable: entries of one moment stay in their order
  let undoing = false;
  for (const entry of entries) {
    undoing ||= turnsRound(entry);
    entry.undoing = undoing;
  }
  return entries;
}

const IGNORED = "message_ignored";

function keyOf({ event, step, attempt, note, details }) {
  const name = kind(event);
  const last = name === IGNORED ? (note ?? details?.reason) : attempt || 0;
  return `${name}|${step || ""}|${last}`;
}

/** The name of an event without the common prefix. */
export const kind = (event) => event.replace(/^saga\./, "");

function turnsRound(entry) {
  const name = kind(entry.event);
  return (
    name === "step_failed" ||
    name.includes("undo") ||
    (name === "operator" && entry.note.startsWith("cancel ")) ||
    (Array.isArray(entry.details.undo) && entry.details.undo.length > 0)
  );
}

const SENTENCES = {
  started: () => "Started",
  step_completed: (e) => `done${within(e)}`,
  step_failed: (e) => `failed${within(e)}${because(e)}`,
  step_timed_out: (e) => `no answer${after(e)}${next(e)}`,
  step_retried: () => "sent again",
  step_undone: (e) => `undone${within(e)}`,
  undo_timed_out: (e) => `undo: no answer${after(e)}${next(e)}`,
  undo_retried: () => "undo: sent again",
  needs_attention: (e) => `needs attention${because(e)}`,
  message_ignored: (e) => `ignored ${e.details.status ?? "a message"}${because(e)}${times(e)}`,
  step_skipped: (e) => `skipped${because(e)}`,
  waiting: () => "waits",
  reminded: () => "reminder sent",
  outcome_asked: () => "asked for its outcome",
  command_lost: (e) => `the command never arrived${because(e)}`,
  step_refused: (e) => `reply not accepted${because(e)}`,
  deadline_passed: (e) => `the deadline of the saga passed${because(e)}`,
  moved: (e) => `moved to another version${because(e)}`,
  undo_asked: () => "undo asked for by the parent",
  operator: (e) => `operator: ${e.note.replace(/: $/, "")}`,
  completed: (e) => `Completed${within(e)}`,
  cancelled: (e) => `Cancelled${because(e)}`,
};

/** A short description of the event. */
export const sentence = (entry) => (SENTENCES[kind(entry.event)] ?? (() => entry.event))(entry);

const within = (e) => ("took" in e.details ? ` in ${duration(e.details.took)}` : "");
const after = (e) => ("waited" in e.details ? ` after ${duration(e.details.waited)}` : "");
const because = (e) => {
  const parts = [e.details.code, e.note].filter(Boolean);
  return parts.length ? `: ${parts.join(", ")}` : "";
};
const times = (e) => (e.times > 1 ? ` (${e.times} times)` : "");

function next(e) {
  if (typeof e.details.retry_in === "number") return `, again in ${duration(e.details.retry_in)}`;
  return "waited" in e.details ? ", giving up" : "";
}

/** The commands that the event caused. */
export function followUp({ details, undoing }) {
  if (details.undo?.length) return `to undo: ${details.undo.join(", ")}`;
  if (details.sent?.length) return `${undoing ? "undo " : ""}${details.sent.join(", ")}`;
  return "";
}

/** A description of the cause, derived from the id of the causing event. */
export function why({ event, cause }) {
  if (!cause) return "";
  if (cause.startsWith("timer:")) {
    return kind(event).endsWith("retried") ? "the wait before the retry ended" : "its deadline passed";
  }
  if (cause.startsWith("operator/")) return "an operator asked";
  const status = /(?:^|\/)([A-Z][A-Z_]+|[a-z]+_[a-z_]+)$/.exec(cause);
  return status ? `${status[1].toUpperCase()} arrived` : "of a record";
}
