// Operators' actions. Each asks for a reason, which is stored in the history.

import { part, post } from "./api.js";
import { caller } from "./caller.js";
import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { count, many } from "./format.js";
import { problemBox } from "./problem.js";
import { say } from "./toasts.js";

const SAGA = {
  retry: {
    button: "Retry",
    title: (step) => `Retry ${step}`,
    text: "Sends it once more and waits for the answer, as if for the first time. For when the cause is mended.",
  },
  skip: {
    button: "Skip",
    title: (step) => `Skip ${step}`,
    text: "Counts it as done without asking again. For when it was done by hand. The order goes on from there.",
    needsReason: true,
    danger: true,
  },
  resume: {
    button: "Resume",
    title: () => "Resume the saga",
    text: "Retries every step that is stuck.",
  },
  cancel: {
    button: "Cancel order",
    title: () => "Cancel the order",
    text: "Compensates the saga: everything that was done is undone, newest step first.",
    needsReason: true,
    danger: true,
  },
};

const LETTER = {
  replay: {
    button: "Replay",
    title: (number) => `Replay dead letter ${number}`,
    text: "Appends the record to its topic again. For when the cause has been mended.",
  },
  discard: {
    button: "Discard",
    title: (number) => `Discard dead letter ${number}`,
    text: "Marks it as needing nothing more. The record stays in the log.",
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

/** Maximum number of orders listed in the confirmation before many are acted on. */
const NAMED = 5;
const ALL = {
  name: "Retry all",
  action: "resume",
  filter: { statuses: ["NEEDS_ATTENTION"] },
  verb: "Retry",
  text: "Retries every step of them that is stuck. For when the cause has been mended.",
};

/**
 * A button that retries every stuck step of all sagas that need attention, at most a thousand. They
 * are counted first; `tell` is called with the nodes of a problem with counting, or none.
 */
export function retryAllButton(tell) {
  return manyButton(() => ALL, "Retry all", "Retry all that need attention", tell);
}

/** A button for an action on a group of sagas `{saga, step, code}`; `current()` returns it. */
export function groupButton(action, current, tell) {
  const what = SAGA[action];
  const request = () => {
    const { saga, step, code } = current();
    return {
      name: `${what.button} ${step}`,
      action,
      filter: { statuses: ["NEEDS_ATTENTION"], saga, step, ...(code && { code }) },
      verb: what.button,
      text: what.text,
      needsReason: what.needsReason,
      danger: what.danger,
    };
  };
  const { saga, step, code } = current();
  return manyButton(request, what.button, `${what.button} all of ${saga} in ${step}${code ? `, ${code}` : ""}`, tell);
}

function manyButton(request, text, label, tell) {
  const node = button({ button: text }, label, async () => {
    if (node.getAttribute("aria-busy")) return;
    node.setAttribute("aria-busy", "true");
    tell([]);
    const wanted = request();
    try {
      const { action, filter } = wanted;
      // Nothing is done in a dry run: its reason only satisfies the check.
      const why = wanted.needsReason ? "dry run" : "";
      askMany(wanted, await post("sagas/actions", { action, filter, why, dryRun: true }));
    } catch (problem) {
      tell([problemBox(problem)]);
    } finally {
      node.removeAttribute("aria-busy");
    }
  });
  return node;
}

function askMany({ name, action, filter, verb, text, needsReason, danger }, counted) {
  if (!counted.count) {
    say(`${name}: there is nothing to ${verb.toLowerCase()}.`);
    return;
  }
  const sagas = many(counted.count, "saga");
  const orders = counted.sagaIds.map((id) => id.slice(id.indexOf("/") + 1));
  const rest = counted.count - NAMED;
  openDialog({
    title: `${verb} ${counted.more ? "the oldest " : ""}${sagas}`,
    text,
    danger,
    submit: `${verb} ${sagas}`,
    fields: [
      el("p", { class: "about" },
        orders.slice(0, NAMED).flatMap((order, place) => [place ? ", " : "", el("code", {}, order)]),
        rest > 0 ? ` and ${count(rest)} more` : ""),
      counted.more ? el("p", {}, "Others are left for the next time.") : "",
      ...reasonField(needsReason),
    ],
    async send(form) {
      // Limited to the number confirmed: sagas added since are newer, and the oldest come first.
      const limited = { ...filter, limit: counted.count };
      const asked = await post("sagas/actions", { action, filter: limited, why: form.get("why").trim() });
      say(outcome({ button: `${verb} ${many(asked.count, "saga")}` }, asked));
    },
  });
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
      const asked = await post(path, { ...body, why: form.get("why").trim() });
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
    el("p", { class: "hint", id: "why-help" }, caller.remark),
  ];
}

function outcome(what, asked) {
  const by = asked.by ? ` by ${asked.by}` : "";
  const then = asked.workers ? "" : " Nothing is running now: it is done at the next start.";
  return `${what.button}: asked${by}.${then}`;
}
