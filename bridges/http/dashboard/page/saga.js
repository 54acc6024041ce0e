// A saga: what it waits for, its flow, its steps, a timeline of attempts, and its history.

import { sagaButton } from "./actions.js";
import { showDeadline } from "./deadline.js";
import { el, keyed, setAttribute, setText } from "./dom.js";
import { duration, fine, fullMoment, roughly, seconds } from "./format.js";
import { flowDrawing } from "./flow.js";
import { isStuck, phaseLabel, statusLabel } from "./labels.js";
import { live, now } from "./live.js";
import { keptMessages, messageDetails, withMessages } from "./messages.js";
import { followUp, kind, sentence, storyOf, why } from "./story.js";
import { timelineSection } from "./timeline.js";
import { relatedList, waitsList } from "./waits.js";

/** Minimum seconds between two events for the gap to be shown. */
const PAUSE = 1;
const ENDED = ["COMPLETED", "CANCELLED"];

/** A section; `update(saga)` shows its state, `tell(details)` the details that only `GET sagas/{id}` returns. */
export function sagaSection(saga, done) {
  const label = statusLabel(saga.status);
  const took = el("span", { class: "muted num" });
  const buttons = el("span", { class: "buttons" });
  const links = el("span", { class: "links" });
  const waits = waitsList(done);
  const related = relatedList();
  const tableId = `steps-${saga.sagaId}`;
  const flow = flowDrawing(`Flow of ${saga.sagaId}`, tableId);
  const steps = el("tbody");
  const timeline = timelineSection();
  const events = el("ol", { class: "story" });
  const kept = keptMessages();
  const trouble = el("p", { class: "hint", hidden: true });
  const node = el(
    "section",
    { class: "saga", "aria-label": saga.sagaId },
    el("div", { class: "saga-head" },
      el("h2", { tabindex: "-1" }, `${saga.saga} `, el("a", { class: "muted", href: `#/definitions?saga=${encodeURIComponent(saga.saga)}` }, `version ${saga.version}`)),
      label, took, links, buttons),
    waits, related, flow,
    el("table", { class: "steps", id: tableId, "aria-label": "Steps" },
      el("thead", {}, el("tr", {},
        ["Step", "Service", "State", "Attempts", "Deadline", "Actions"].map((name) =>
          el("th", { scope: "col" }, name === "Actions" ? el("span", { class: "hidden" }, name) : name)))),
      steps),
    timeline,
    el("h3", {}, "What happened"),
    events, trouble, kept,
  );
  let current = saga;
  let details = null;
  let shownButtons = "";
  let story = [];

  node.update = (changed) => {
    current = changed;
    label.show(current.status);
    showButtons();
    draw();
  };
  node.tell = (known) => {
    if (known && known !== details) {
      details = known;
      draw();
    }
  };
  node.tick = () => {
    [...steps.children].forEach((row) => row.tick());
    waits.tick();
    if (!ENDED.includes(current.status)) showTimes();
    timeline.tick();
  };

  function showButtons() {
    const stuck = current.steps.filter(isStuck).length;
    const open = !ENDED.includes(current.status);
    const wanted = [stuck > 1 ? "resume" : "", open && !current.code ? "cancel" : ""].filter(Boolean);
    const key = [...wanted, live.snapshot?.ordersSaga].join();  // decides the labels of the buttons
    if (key === shownButtons) return;
    shownButtons = key;
    buttons.replaceChildren(...wanted.map((action) => sagaButton(action, current, "", done)));
  }

  function draw() {
    // Details that are older than the state do not match its history: newer ones follow.
    const fresh = details?.history.length === current.history.length ? details : null;
    const whole = { ...(fresh ?? {}), ...current };
    story = withMessages(storyOf(current, details?.timeline), details?.messages ?? []);
    const definition = details?.definition;
    const byName = new Map((definition?.steps ?? []).map((step) => [step.step, step]));
    keyed(steps, current.steps, (step) => step.step, (step) => stepRow(current, step, byName, done));
    const paused = new Map((fresh?.waits ?? []).filter((each) => each.pause).map((each) => [each.step, each.service]));
    [...steps.children].forEach((row) => row.about(byName, paused));
    waits.update(whole);
    related.update(whole);
    kept.update(fresh?.kept ?? []);
    links.replaceChildren(...(details?.links ?? []).map((link) => el("a", { href: link.url, rel: "noreferrer" }, link.name)));
    setText(trouble, details?.messagesProblem ? `Messages may be missing: ${details.messagesProblem}` : "");
    trouble.hidden = !details?.messagesProblem;
    if (definition) {
      flow.update(definition, Object.fromEntries(current.steps.map((step) =>
        [step.step, { phase: step.phase, attempt: step.attempt, paused: paused.get(step.step) }])));
    }
    const withPauses = story.flatMap((entry, i) => {
      const pause = i ? entry.at - story[i - 1].at : 0;
      return pause >= PAUSE ? [{ pause, key: `pause ${i}` }, entry] : [entry];
    });
    withPauses.forEach((each, i) => {
      each.key ??= `${i} ${each.event} ${each.step}`;
    });
    keyed(events, withPauses, (each) => each.key, (each) => (each.pause ? pauseRow() : eventRow()));
    timeline.update(current, story);
    showTimes();
  }

  function showTimes() {
    const began = seconds(current.startedAt);
    const last = current.endedAt ? seconds(current.endedAt) : now();
    const length = Math.max(last - began, 0.001);
    setText(took, `${ENDED.includes(current.status) ? "took" : "under way for"} ${duration(length)}`);
    waits.tick();
  }
  return node;
}

// --- steps ------------------------------------------------------------------------------------

function stepRow(saga, step, known, done) {
  const label = phaseLabel(step.phase);
  const service = el("td", { "data-label": "Service" });
  const attempts = el("td", { class: "num", "data-label": "Attempts" });
  const deadline = el("td", { class: "num", "data-label": "Deadline" });
  const buttons = el("td", { class: "end" }, el("span", { class: "buttons" }));
  const marks = el("span", { class: "muted" });
  let current = step;
  let pause = "";
  let stuck = false;
  const row = el("tr", {}, el("th", { scope: "row" }, step.step, marks), service, el("td", {}, label), attempts, deadline, buttons);
  row.update = (changed) => {
    current = changed;
    label.show(current.phase);
    setText(attempts, current.attempt || "");
    row.tick();
    if (isStuck(current) === stuck) return;
    stuck = isStuck(current);
    const wanted = stuck ? ["retry", "skip"] : [];
    buttons.firstChild.replaceChildren(...wanted.map((action) => sagaButton(action, saga, step.step, done)));
  };
  // During a pause no saga times out: its deadline is put off.
  row.tick = () => showDeadline(deadline, pause ? null : current.deadline, pause && `${pause} is paused`);
  row.about = (byName, paused) => {
    const definition = byName.get(step.step);
    pause = paused.get(step.step) ?? "";
    row.tick();
    setText(service, definition?.child ? `saga ${definition.child}` : (definition?.to ?? ""));
    setText(marks, definition?.pivot ? " pivot" : "");
  };
  return row;
}

// --- what happened ----------------------------------------------------------------------------

function eventRow() {
  const at = el("span", { class: "at num" });
  const step = el("strong");
  const said = el("span");
  const attempt = el("span", { class: "attempt" });
  const then = el("span", { class: "then" });
  const reason = el("span");
  const cause = el("code");
  const because = el("p", { class: "because" }, "because ", reason, " ", cause);
  const messages = messageDetails();
  const row = el("li", {}, at, el("div", {}, el("p", {}, step, " ", said, " ", attempt, " ", then), because, messages));
  row.update = (entry) => {
    setAttribute(row, "data-kind", kind(entry.event));
    setAttribute(row, "data-undoing", entry.undoing ? "" : null);
    setText(at, `+${fine(Math.max(0, entry.offset))}`);
    at.title = fullMoment(new Date(entry.at * 1000).toISOString());
    setText(step, entry.step);
    setText(said, sentence(entry));
    setText(attempt, (entry.attempt ?? 0) > 1 ? `attempt ${entry.attempt}` : "");
    const next = followUp(entry);
    setText(then, next && `→ ${next}`);
    setText(reason, why(entry));
    setText(cause, entry.cause ?? "");
    // The message that arrived is shown in place of its id.
    because.hidden = !entry.cause || Boolean(entry.arrived);
    messages.update(entry);
  };
  return row;
}

function pauseRow() {
  const text = el("span");
  const row = el("li", { class: "pause" }, el("span", { class: "at" }), el("div", {}, text));
  row.update = ({ pause }) => setText(text, `${roughly(pause)} passed`);
  return row;
}
