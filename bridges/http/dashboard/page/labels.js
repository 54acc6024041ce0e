// Status labels, each with its own colour and shape.

import { el, setAttribute, setText } from "./dom.js";
import { words } from "./format.js";

const KINDS = {
  SUBMITTED: "idle", CREATED: "going", RUNNING: "going",
  COMPENSATING: "back", ROLLED_BACK: "back",
  NEEDS_ATTENTION: "stuck",
  COMPLETED: "done", CANCELLED: "ended",
};

const PHASES = {
  IDLE: ["not begun", "idle"],
  SENT: ["waits for its answer", "going"],
  BACKOFF: ["will be sent again", "going"],
  STUCK: ["stuck", "stuck"],
  DONE: ["done", "done"],
  FAILED: ["failed", "failed"],
  UNDO_SENT: ["undo waits for its answer", "back"],
  UNDO_BACKOFF: ["undo will be sent again", "back"],
  UNDO_STUCK: ["undo stuck", "stuck"],
  UNDONE: ["undone", "back"],
  SKIPPED: ["skipped", "idle"],
  ASKED: ["asked for its outcome", "going"],
};

/** The phase of a step in words. */
export const phaseText = (phase) => (PHASES[phase] ?? [words(phase)])[0];

/** Text, colour and shape of the status of an order or a saga. */
export const kindOf = (status) => KINDS[status] ?? "idle";

/** A status label; `show(status)` updates it. */
export function statusLabel(status) {
  const node = el("span", { class: "status" });
  node.show = (value) => {
    setAttribute(node, "data-kind", kindOf(value));
    setText(node, words(value));
  };
  node.show(status);
  return node;
}

/** A label for the phase of a step. */
export function phaseLabel(phase) {
  const node = el("span", { class: "status" });
  node.show = (value) => {
    const [text, kind] = PHASES[value] ?? [words(value), "idle"];
    setAttribute(node, "data-kind", kind);
    setText(node, text);
  };
  node.show(phase);
  return node;
}

/** True if a step has had no reply and has no attempts left. */
export const isStuck = (step) => step.phase === "STUCK" || step.phase === "UNDO_STUCK";
