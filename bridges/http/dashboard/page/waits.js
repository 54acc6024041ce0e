// What a saga waits for: a reply, a pause to end, another saga, a lock, a signal, a time, a person.

import { serviceButton } from "./actions.js";
import { showDeadline } from "./deadline.js";
import { el, keyed, setText } from "./dom.js";
import { moment } from "./format.js";
import { sagaLink } from "./links.js";
import { signalButton } from "./signal-form.js";

/** A list; `update(saga)` shows it, `done()` is called after an action. */
export function waitsList(done) {
  const list = el("ul", { class: "waits" });
  list.update = (saga) => {
    const waits = saga.waits?.length ? saga.waits : waitsOf(saga);
    keyed(list, waits, (each) => keyOf(each, saga), (each) => waitRow(each, saga, done));
  };
  list.tick = () => [...list.children].forEach((row) => row.tick());
  return list;
}

/** What a saga waits for, as far as it follows from the states of its steps. */
function waitsOf(saga) {
  const kinds = { SENT: "reply", ASKED: "reply", BACKOFF: "retry", STUCK: "person" };
  return saga.steps
    .map((step) => ({ ...step, undo: step.phase.startsWith("UNDO_"), kind: kinds[step.phase.replace("UNDO_", "")], signals: [] }))
    .filter((step) => step.kind);
}

/** Everything but the deadline, which changes in place. */
const keyOf = (each, { lock }) => JSON.stringify([each.step, each.kind, each.undo, each.pause, each.child, each.cause, each.kind === "lock" && lock]);

function waitRow(wait, saga, done) {
  const until = el("span", { class: "num" });
  // For a retry or a delay, this is the time at which the saga continues; for others, it gives up.
  const word = ["retry", "delay"].includes(wait.kind) ? " " : ", deadline ";
  const end = el("span", {}, word, until);
  const row = el("li", { "data-kind": wait.kind === "person" ? "stuck" : wait.pause ? "back" : "going" },
    el("p", {}, ...sentence(wait, saga), end), ...more(wait, saga, done));
  let deadline = wait.deadline;
  row.update = (changed) => {
    deadline = changed.deadline;
    row.tick();
  };
  row.tick = () => {
    end.hidden = Boolean(wait.pause) || !deadline;
    showDeadline(until, deadline);
  };
  return row;
}

function sentence({ step, kind, undo, child, service, signals, cause }, { lock }) {
  const name = el("strong", {}, step);
  const what = undo ? ["the undo of ", name] : [name];
  if (kind === "person") return ["Stuck in ", ...what, cause ? `: ${cause}` : "", ", until an operator acts"];
  if (kind === "retry") return ["Will send ", ...what, " again"];
  if (kind === "delay") return ["Waits in ", name, " for a time to pass"];
  if (kind === "child") return ["Waits for ", ...what, child ? ": " : "", child ? sagaLink(child) : ""];
  if (kind === "signal") return ["Waits in ", name, ` for ${signals.map((each) => each.message).join(" or ")}`];
  if (kind === "lock" && lock?.holder) {
    const place = lock.place ? `, as number ${lock.place} of ${lock.waitingCount}` : "";
    return ["Waits for its turn", place, ": the lock ", el("code", {}, lock.key), " has ", sagaLink(lock.holder)];
  }
  return ["Waits for ", ...what, service ? `, of ${service}` : ""];
}

function more({ pause, signals }, saga, done) {
  const rows = [];
  if (pause) {
    rows.push(el("p", {}, el("strong", {}, `${pause.name} is paused`), ` by ${pause.by} since ${moment(pause.since)}: ${pause.why} `, serviceButton("unpause", pause.name)));
  }
  if (signals?.length) {
    rows.push(el("p", { class: "buttons" }, signals.map((signal) => signalButton(saga, signal, done))));
  }
  return rows;
}

/** Sagas around this one: its parent, its children, those that wait for its lock. */
export function relatedList() {
  const list = el("ul", { class: "related" });
  list.update = ({ parent, children = [], lock, sagaId }) => {
    const rows = [];
    if (parent) rows.push(["parent", `Runs for ${parent.step} of `, parent]);
    for (const child of children) rows.push([`child ${child.sagaId}`, `${child.step} runs `, child]);
    if (lock?.holder?.sagaId === sagaId) {
      for (const each of lock.waiting) rows.push([`lock ${each.sagaId}`, `Waits for its lock ${lock.key}: `, each]);
    }
    keyed(list, rows, ([key, , link]) => `${key} ${link.status}`, ([, text, link]) => el("li", {}, text, sagaLink(link)));
  };
  return list;
}
