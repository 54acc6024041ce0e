// Operators' actions. Each asks for a reason, which is stored in the history.

import { part, post, who } from "./api.js";
import { caller } from "./caller.js";
import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { count, many } from "./format.js";
import { startJob } from "./jobs.js";
import { live } from "./live.js";
import { problemBox } from "./problem.js";
import { say } from "./toasts.js";

const SAGA = {
  retry: {
    button: "Retry",
    title: (step) => `Retry ${step}`,
    text: "Sends it again and waits for the answer, as for the first time. Use it when the cause is fixed.",
  },
  skip: {
    button: "Skip",
    title: (step) => `Skip ${step}`,
    text: "Counts it as done without sending it again. Use it when it was done by hand. The order continues after it.",
    needsReason: true,
    danger: true,
  },
  resume: {
    button: "Resume",
    title: () => "Resume the saga",
    text: "Retries every step that is stuck.",
  },
  cancel: {
    get button() {
      return `Cancel ${live.snapshot?.ordersSaga === "" ? "saga" : "order"}`;
    },
    title: () => `Cancel the ${live.snapshot?.ordersSaga === "" ? "saga" : "order"}`,
    text: "Compensates the saga: everything that was done is undone, newest step first.",
    needsReason: true,
    danger: true,
  },
};

const LETTER = {
  replay: {
    button: "Replay",
    title: (number) => `Replay dead letter ${number}`,
    text: "Appends the record to its topic again. Use it when the cause is fixed.",
  },
  discard: {
    button: "Discard",
    title: (number) => `Discard dead letter ${number}`,
    text: "Marks it as discarded. The record stays in the log.",
    needsReason: true,
    danger: true,
  },
};

const SERVICE = {
  unpause: {
    button: "Unpause",
    title: (name) => `End the pause of ${name}`,
    text: "Deferred messages are handled first, in their order. Deadlines run again from now on.",
  },
};

/** A button for an action on a saga `{sagaId, orderId, code}`; `done()` is called afterwards. */
export function sagaButton(action, saga, step = "", done = () => {}) {
  const what = SAGA[action];
  return button(what, `${what.button}${step ? ` ${step}` : ""} of order ${saga.orderId}`, () =>
    ask(what, {
      // A saga with a code is compensating, so the stuck command is a compensation.
      title: what.title(saga.code ? `the undo of “${step}”` : `“${step}”`),
      about: saga.orderId,
      path: `sagas/${part(saga.sagaId)}/${action}`,
      body: step ? { step } : {},
      done,
    }),
  );
}

/** A button that replays or discards a dead letter. */
export function letterButton(action, letter, done = () => {}) {
  const what = LETTER[action];
  return button(what, `${what.button} dead letter ${letter.number}`, () =>
    ask(what, {
      title: what.title(letter.number),
      about: letter.topic,
      path: `dead-letters/${letter.number}/${action}`,
      body: {},
      done,
    }),
  );
}

/** A button that pauses or unpauses a service. */
export function serviceButton(action, name) {
  const what = SERVICE[action];
  return button(what, `${what.button} ${name}`, () =>
    ask(what, {
      title: what.title(name),
      about: name,
      path: `services/${part(name)}/${action}`,
      body: {},
      done: () => {},
    }),
  );
}

/** Maximum number of targets listed in the confirmation before many are acted on. */
const NAMED = 5;
/** Maximum number of sagas of one action. */
const MOST = 1000;
const RETRY_ALL = {
  button: "Retry",
  text: "Retries all their stuck steps. Use it when the cause is fixed.",
};
const STUCK = { statuses: ["NEEDS_ATTENTION"] };

/** The requests of actions on many sagas, and their texts. */
const SAGAS = {
  path: "sagas/actions",
  noun: "saga",
  targets: (counted) => counted.sagaIds,
  name: (id) => id.slice(id.indexOf("/") + 1),
  /** Selects exactly the sagas that were confirmed, so that none is added meanwhile. */
  part: (filter, ids) => ({ ...(filter.step && { step: filter.step }), sagaIds: ids }),
};
const LETTERS = {
  path: "dead-letters/actions",
  noun: "dead letter",
  targets: (counted) => counted.deadLetters,
  name: (number) => `#${number}`,
  part: (_, numbers) => ({ numbers }),
};

/** A button that retries every stuck step of all sagas that need attention, at most a thousand. */
export function retryAllButton(tell) {
  return manyButton(SAGAS, "resume", RETRY_ALL, () => STUCK, "Retry all", "Retry all that need attention", tell);
}

/** A button for an action on a group of stuck sagas; `current()` returns it. */
export function groupButton(action, current, tell) {
  const { saga, step, code, cause } = current();
  const label = `${SAGA[action].button} all of ${saga} in ${step}: ${cause}${code ? `, ${code}` : ""}`;
  return manyButton(SAGAS, action, SAGA[action], () => filterOf(current()), SAGA[action].button, label, tell);
}

/** The ids of the sagas of a group `{saga, step, code, cause}`, at most 1000. Throws Problem. */
export async function idsOfGroup(group) {
  return (await post(SAGAS.path, { action: "resume", filter: filterOf(group), dryRun: true })).sagaIds;
}

/** For a group that is stuck in several steps: its first step selects the whole group. */
const filterOf = ({ saga, step, code, cause }) => ({ ...STUCK, saga, step: step.split(", ")[0], cause, ...(code && { code }) });

/** A button that cancels a group of sagas that retry a step; `current()` returns it. */
export function retryingButton(current, tell) {
  const filter = () => ({ retrying: true, saga: current().saga, step: current().step });
  const { saga, step } = current();
  return manyButton(SAGAS, "cancel", SAGA.cancel, filter, `${SAGA.cancel.button}s`, `Cancel all of ${saga} that retry ${step}`, tell);
}

/** A button for an action on the chosen sagas; `ids()` returns their ids, or a promise of them. */
export function chosenSagasButton(action, ids, tell, done) {
  const what = action === "resume" ? RETRY_ALL : SAGA[action];
  return manyButton(SAGAS, action, what, async () => ({ sagaIds: (await ids()).slice(0, MOST) }), what.button, `${what.button} the chosen`, tell, done);
}

/** A button for an action on a group of dead letters `{topic, kind}`; `current()` returns it. */
export function letterGroupButton(action, current, tell, done) {
  const what = LETTER[action];
  const filter = () => ({ topic: current().topic, kind: current().kind });
  const label = `${what.button} all of ${current().topic || "unknown topic"}, ${current().kind}`;
  return manyButton(LETTERS, action, what, filter, what.button, label, tell, done);
}

/** A button for an action on the dead letters that are chosen; `numbers()` returns them. */
export function chosenLettersButton(action, numbers, tell, done) {
  const what = LETTER[action];
  return manyButton(LETTERS, action, what, () => ({ numbers: numbers() }), what.button, `${what.button} the chosen`, tell, done);
}

/** Counts the targets first; `tell` is called with the nodes of a problem with that, or none. */
function manyButton(kind, action, what, filterFor, text, label, tell, done) {
  const node = button({ button: text }, label, async () => {
    if (node.getAttribute("aria-busy")) return;
    node.setAttribute("aria-busy", "true");
    tell([]);
    try {
      const filter = await filterFor();
      // Nothing is done in a dry run: its reason only satisfies the check.
      const why = what.needsReason ? "dry run" : "";
      const counted = await post(kind.path, { action, filter, why, dryRun: true });
      askMany(kind, action, what, filter, counted, done);
    } catch (problem) {
      tell([problemBox(problem)]);
    } finally {
      node.removeAttribute("aria-busy");
    }
  });
  return node;
}

function askMany(kind, action, what, filter, counted, done) {
  const verb = what.button.split(" ")[0];
  const targets = kind.targets(counted);
  const refused = Object.entries(counted.refused).map(([reason, n]) => el("li", {}, `${many(n, kind.noun)}: ${reason}`));
  if (!counted.count) {
    const why = Object.keys(counted.refused).join("; ");
    say(`${verb}: there is nothing to ${verb.toLowerCase()}${why ? `: ${why}` : ""}.`);
    return;
  }
  const all = many(counted.count, kind.noun);
  const names = targets.slice(0, NAMED).map(kind.name);
  const rest = counted.count - NAMED;
  openDialog({
    title: `${verb} ${counted.more ? "the oldest " : ""}${all}`,
    text: what.text,
    danger: what.danger,
    submit: `${verb} ${all}`,
    fields: [
      el("p", { class: "about" },
        names.flatMap((name, place) => [place ? ", " : "", el("code", {}, name)]),
        rest > 0 ? ` and ${count(rest)} more` : ""),
      counted.more ? el("p", {}, "There are more; repeat the action for them.") : "",
      refused.length ? [el("p", {}, "Not possible for:"), el("ul", {}, refused)] : "",
      ...reasonField(what.needsReason),
    ].flat(),
    async send(form) {
      const why = reasonOf(form);
      const first = await startJob({
        name: `${verb} ${all}`,
        noun: kind.noun,
        targets,
        done,
        send: (part, request) => post(kind.path, { action, filter: kind.part(filter, part), why, ...(request && { request }) }),
      });
      say(outcome({ button: `${verb} ${all}` }, first));
    },
  });
}

const APPROVAL = {
  approve: { button: "Approve", text: "Sends the action. The person who requested it cannot approve it; without tokens, only the names are compared." },
  reject: { button: "Reject", text: "It is never sent.", needsReason: true, danger: true },
};

/** A button that approves or rejects an action that waits for a second person. */
export function approvalButton(decision, action, done) {
  const what = APPROVAL[decision];
  return button(what, `${what.button} ${action.action} of ${action.target}`, () =>
    ask(what, {
      title: `${what.button}: ${action.action} of ${action.target}`,
      about: `${action.by}: ${action.why}`,
      path: `operator-actions/${decision}`,
      body: { numbers: [action.number] },
      done,
    }),
  );
}

function button(what, label, onclick) {
  return el("button", { type: "button", class: "small act", "aria-label": label, onclick }, what.button);
}

function ask(what, { title, about, path, body, done }) {
  openDialog({
    title,
    text: what.text,
    danger: what.danger,
    submit: what.button,
    fields: [
      el("p", { class: "about" }, el("code", {}, about)),
      ...reasonField(what.needsReason),
    ],
    async send(form) {
      const asked = await post(path, { ...body, why: reasonOf(form) });
      say(outcome(what, asked));
      done();
    },
  });
}

function reasonField(required = false) {
  return [
    el("label", { for: "why" }, "Reason", required ? null : el("span", { class: "muted" }, " (optional)")),
    el("textarea", {
      id: "why", name: "why", rows: 3, maxlength: 500, required, "aria-describedby": "why-help", autofocus: true,
    }),
    el("p", { class: "hint", id: "why-help" }, caller.remark, " ", caller.needsName && who.get() ? otherName() : ""),
    caller.needsName && !who.get() ? nameField() : "",
  ].flat();
}

/** The field of the operator's name, shown once if the server has no tokens. */
function nameField() {
  return [
    el("label", { for: "who" }, "Your name"),
    el("input", { id: "who", name: "who", value: who.get(), maxlength: 200, autocomplete: "name", required: true }),
  ];
}

function otherName() {
  const node = el("button", { type: "button", class: "quiet small", onclick() {
    node.parentElement.after(...nameField());
    document.getElementById("who").focus();
    node.remove();
  } }, "Not you?");
  return node;
}

/** The reason in a form; keeps the name in it. Throws Error if there is no name. */
function reasonOf(form) {
  if (form.has("who")) {
    const name = form.get("who").trim();
    if (!name) throw new Error("Enter your name: it is stored with the action.");
    who.set(name);
  }
  return form.get("why").trim();
}

function outcome(what, asked) {
  const by = asked.by ? ` by ${asked.by}` : "";
  const held = asked.pending ? " Another person has to approve it: see Actions." : "";
  const then = asked.workers || held ? "" : " No worker is running: it will be done at the next start.";
  return `${what.button}: asked${by}.${held}${then}`;
}
