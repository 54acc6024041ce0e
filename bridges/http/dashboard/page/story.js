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
  for (const line of logged.get("message_ignored") ?? []) {
    if (line.at) {
      entries.push({
        at: seconds(line.at), event: line.event, step: line.step ?? "", attempt: line.attempt ?? 0,
        cause: line.cause ?? "", note: line.details.reason ?? "", details: line.details,
      });
    }
  }
  entries.sort((a, b) => a.at - b.at);
  let undoing = false;
  for (const entry of entries) {
    undoing ||= turnsRound(entry);
    entry.undoing = undoing;
  }
  return entries;
}

function keyOf({ event, step, attempt }) {
  const name = kind(event);
  return name === "message_ignored" ? name : `${name}|${step || ""}|${attempt || 0}`;
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
    return kind(event).endsWith("retried") ? "its pause was over" : "its deadline passed";
  }
  if (cause.startsWith("operator/")) return "an operator asked";
  const status = /(?:^|\/)([A-Z][A-Z_]+)$/.exec(cause);
  return status ? `${status[1]} arrived` : "of a record";
}

/**
 * When each step and each compensation ran: `{step, undo, began, ended, attempts, result}`, times in
 * seconds since the epoch, `ended` null while it runs. A step without a reply has no length.
 */
export function spansOf(saga, story) {
  const spans = new Map();
  const named = (step, undo, began) => {
    const key = `${step}|${undo}`;
    if (!spans.has(key)) spans.set(key, { step, undo, began, ended: null, attempts: 1, result: "sent" });
    return spans.get(key);
  };
  let before = seconds(saga.startedAt);
  for (const entry of story) {
    const name = kind(entry.event);
    const result = RESULTS[name];
    if (result) {
      const length = entry.details.took ?? entry.details.waited;
      const span = named(entry.step, name.includes("undo"), typeof length === "number" ? entry.at - length : before);
      span.attempts = Math.max(span.attempts, entry.attempt || 1);
      span.ended = result === "sent" ? null : entry.at;
      span.result = result;
    }
    if (name !== "message_ignored") before = entry.at;
  }
  for (const step of saga.steps) {
    const undo = step.phase.startsWith("UNDO");
    if (["SENT", "BACKOFF", "STUCK", "UNDO_SENT", "UNDO_BACKOFF", "UNDO_STUCK"].includes(step.phase)) {
      const span = named(step.step, undo, seconds(step.since));
      span.ended = null;
      span.result = step.phase.endsWith("STUCK") ? "stuck" : "sent";
      span.attempts = Math.max(span.attempts, step.attempt);
      const given = spans.get(`${step.step}|false`);
      if (undo && given && given.ended === null) Object.assign(given, { ended: span.began, result: "timed out" });
    } else if (step.phase === "DONE" && step.since && !spans.has(`${step.step}|false`)) {
      Object.assign(named(step.step, false, seconds(step.since)), { ended: seconds(step.since), result: "told" });
    }
  }
  for (const span of spans.values()) {
    const undone = spans.get(`${span.step}|true`);
    if (!span.undo && span.ended === null && undone) Object.assign(span, { ended: undone.began, result: "timed out" });
  }
  return [...spans.values()];
}

const RESULTS = {
  step_completed: "done", step_failed: "failed", step_undone: "undone",
  step_timed_out: "sent", undo_timed_out: "sent", step_retried: "sent", undo_retried: "sent",
};
