// Actions on many targets: sent in parts, with progress, a stop button, and the result of each.

import { get, post } from "./api.js";
import { el, setText } from "./dom.js";
import { count, many, words } from "./format.js";

/** Targets in one request. */
const PART = 25;
/** Milliseconds between the first two requests for results; later intervals are longer. */
const LOOK_EVERY = 1000;
const RARER = 1.2;
const RAREST = 30_000;
/** The result of an action on a saga, by the status of the saga. */
const RESULTS = { COMPLETED: "completed", CANCELLED: "cancelled", NEEDS_ATTENTION: "still stuck", RUNNING: "under way", COMPENSATING: "being undone" };
const UNDER_WAY = ["RUNNING", "COMPENSATING"];

/**
 * Start an action on many targets. `send(part, request)` requests one part; `name` names the action,
 * `noun` the targets. Resolves when the first part was requested, or throws its Problem. The other
 * parts are sent in the background; a line of the page shows the progress.
 */
export async function startJob({ name, noun, targets, send, done = () => {} }) {
  const first = await send(targets.slice(0, PART), "");
  const line = jobLine(name);
  document.getElementById("jobs").append(line.node);
  showRegion();
  run(line, { noun, targets, send, first, done });
  return first;
}

async function run(line, { noun, targets, send, first, done }) {
  const { request } = first;
  let sent = first.count;
  let pending = first.pending ?? 0;
  let left = targets.slice(PART);
  try {
    while (left.length && !line.stopped) {
      line.tell(`${count(sent)} of ${many(targets.length, noun)} asked for`, sent / targets.length);
      const answer = await send(left.slice(0, PART), request ?? "");
      sent += answer.count;
      pending += answer.pending ?? 0;
      left = left.slice(PART);
    }
    const rest = left.length ? `, stopped before ${many(left.length, noun)}` : "";
    line.asked(request);
    await results(line, { request, sent, pending, rest, noun, done });
  } catch (problem) {
    line.tell(`${count(sent)} asked for; then: ${problem.title ?? ""} ${problem.detail ?? problem.message}`, null);
  }
  line.over();
  done();
}

/** Show the results until all are known, or the line is dismissed. */
async function results(line, { request, sent, pending, rest, noun, done }) {
  if (!request) {
    line.tell(`nothing had to be done${rest}`, null);
    return;
  }
  let handled = false;
  for (let pause = LOOK_EVERY; line.node.isConnected; pause = Math.min(pause * RARER, RAREST)) {
    const found = await get(`operator-actions/requests/${request}`).catch((problem) => {
      if (problem.status && problem.status !== 503) throw problem;
      return null;  // the server is unavailable
    });
    if (found) {
      const open = found.outcomes.asked ?? 0;
      const waits = UNDER_WAY.reduce((sum, status) => sum + (found.sagas[status] ?? 0), open);
      const approval = pending ? "; another person has to approve what is pending" : "";
      line.tell(`${many(sent, noun)}: ${told(found).join(", ")}${rest}${approval}`, waits ? 1 - waits / sent : null);
      if (!open && !handled) done();
      handled = !open;
      if (!waits) return;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** `3 completed, 1 still stuck, 2 refused (no step is stuck)` */
function told({ outcomes, refused, sagas }) {
  const known = Object.values(sagas).reduce((sum, n) => sum + n, 0);
  const others = { ...outcomes, done: (outcomes.done ?? 0) - known };
  const why = Object.keys(refused).join("; ");
  return [
    ...Object.entries(sagas).map(([status, n]) => `${count(n)} ${RESULTS[status] ?? words(status)}`),
    ...Object.entries(others).filter(([, n]) => n).map(([outcome, n]) => {
      if (outcome === "refused") return `${count(n)} refused (${why})`;
      return `${count(n)} ${outcome === "asked" ? "not handled yet" : words(outcome)}`;
    }),
  ];
}

/** Show the region only while it has jobs. */
function showRegion() {
  const list = document.getElementById("jobs");
  list.parentElement.hidden = !list.children.length;
}

function jobLine(name) {
  const text = el("span", { role: "status" });
  const bar = el("progress", { max: 1, "aria-label": name });
  const link = el("a", { hidden: true }, "Result of each");
  const stop = el("button", { type: "button", class: "small", onclick: () => { self.stopped = true; } }, "Stop");
  const close = el("button", { type: "button", class: "small", hidden: true, onclick: () => { node.remove(); showRegion(); } }, "Dismiss");
  const node = el("li", {}, el("strong", {}, name), " ", text, bar, link, stop, close);
  const self = {
    node,
    stopped: false,
    tell(words, share) {
      setText(text, words);
      bar.hidden = share === null;
      if (share !== null) bar.value = share;
    },
    /** Every part was requested, or the job was stopped. */
    asked(request) {
      stop.hidden = true;
      close.hidden = false;
      link.hidden = !request;
      link.href = `#/actions?request=${request}`;
    },
    over() {
      stop.hidden = true;
      bar.hidden = true;
      close.hidden = false;
    },
  };
  return self;
}
