// A saga: its steps on a time axis, and its history with causes.

import { sagaButton } from "./actions.js";
import { showDeadline } from "./deadline.js";
import { el, keyed, setAttribute, setText } from "./dom.js";
import { duration, fullMoment, roughly, seconds } from "./format.js";
import { isStuck, phaseLabel, statusLabel } from "./labels.js";
import { now } from "./live.js";
import { followUp, kind, sentence, spansOf, storyOf, why } from "./story.js";

/** Minimum seconds between two events for the gap to be shown. */
const PAUSE = 1;
const ENDED = ["COMPLETED", "CANCELLED"];

/** A section; `update(saga)` shows its state, `tell(timeline)` adds details from the logs. */
export function sagaSection(saga, done) {
  const label = statusLabel(saga.status);
  const took = el("span", { class: "muted num" });
  const buttons = el("span", { class: "buttons" });
  const steps = el("tbody");
  const events = el("ol", { class: "story" });
  const waits = el("ul", { class: "waits" });
  const node = el(
    "section",
    { class: "saga", "aria-label": saga.sagaId },
    el("div", { class: "saga-head" },
      el("h2", { tabindex: "-1" }, `${saga.saga} `, el("span", { class: "muted" }, `version ${saga.version}`)),
      label, took, buttons),
    el("table", { class: "steps" },
      el("thead", {}, el("tr", {},
        ["Step", "State", "Attempts", "When", "Deadline", "Actions"].map((name) =>
          el("th", { scope: "col", class: name === "When" ? "lane-head" : null }, name === "Actions" ? el("span", { class: "hidden" }, name) : name)))),
      steps),
    el("h3", {}, "What happened"),
    events,
    waits,
  );
  let current = saga;
  let timeline = null;
  let shownButtons = "";

  node.update = (changed) => {
    current = changed;
    label.show(current.status);
    showButtons();
    draw();
  };
  node.tell = (known) => {
    if (known && known !== timeline) {
      timeline = known;
      draw();
    }
  };
  node.tick = () => {
    [...steps.children].forEach((row) => row.tick());
    if (!ENDED.includes(current.status)) showTimes();
  };

  function showButtons() {
    const stuck = current.steps.filter(isStuck).length;
    const open = !ENDED.includes(current.status);
    const wanted = [stuck > 1 ? "resume" : "", open && !current.code ? "cancel" : ""].filter(Boolean);
    if (wanted.join() === shownButtons) return;
    shownButtons = wanted.join();
    buttons.replaceChildren(...wanted.map((action) => sagaButton(action, current, "", done)));
  }

  let story = [];
  let spans = [];
  function draw() {
    story = storyOf(current, timeline);
    spans = spansOf(current, story);
    keyed(steps, current.steps, (step) => step.step, (step) => stepRow(current, step, done));
    const began = seconds(current.startedAt);
    const withPauses = story.flatMap((entry, i) => {
      const pause = i ? entry.at - story[i - 1].at : 0;
      return pause >= PAUSE ? [{ pause, key: `pause ${i}` }, entry] : [entry];
    });
    withPauses.forEach((each, i) => {
      each.key ??= `${i} ${each.event} ${each.step}`;
    });
    keyed(events, withPauses, (each) => each.key, (each) => (each.pause ? pauseRow() : eventRow(began)));
    const open = current.steps.filter((step) => step.deadline || isStuck(step));
    keyed(waits, open, (step) => `${step.step} ${step.phase}`, waitRow);
    showTimes();
  }

  function showTimes() {
    const began = seconds(current.startedAt);
    const last = current.endedAt ? seconds(current.endedAt) : now();
    const length = Math.max(last - began, 0.001);
    setText(took, `${ENDED.includes(current.status) ? "took" : "under way for"} ${duration(length)}`);
    for (const row of steps.children) row.lane(spans, began, length);
    [...waits.children].forEach((row) => row.tick());
  }
  return node;
}

// --- steps ------------------------------------------------------------------------------------

function stepRow(saga, step, done) {
  const label = phaseLabel(step.phase);
  const attempts = el("td", { class: "num", "data-label": "Attempts" });
  const lane = el("div", { class: "lane" });
  const deadline = el("td", { class: "num", "data-label": "Deadline" });
  const buttons = el("td", { class: "end" }, el("span", { class: "buttons" }));
  let current = step;
  let stuck = false;
  const row = el("tr", {}, el("th", { scope: "row" }, step.step), el("td", {}, label), attempts,
    el("td", { class: "lane-cell" }, lane), deadline, buttons);
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
  row.tick = () => showDeadline(deadline, current.deadline);
  row.lane = (spans, began, length) => {
    const mine = spans.filter((span) => span.step === current.step);
    keyed(lane, mine, (span) => String(span.undo), spanBar);
    [...lane.children].forEach((bar) => bar.place(began, length));
  };
  return row;
}

function spanBar() {
  const bar = el("span", { role: "img" });
  let span = null;
  bar.update = (changed) => {
    span = changed;
    bar.className = `span ${span.undo ? "undo" : "do"}`;
    setAttribute(bar, "data-result", span.result);
  };
  bar.place = (began, length) => {
    const end = span.ended ?? began + length;
    const from = Math.min(Math.max((span.began - began) / length, 0), 1);
    const to = Math.min(Math.max((end - began) / length, from), 1);
    bar.style.insetInlineStart = `min(${from * 100}%, 100% - 4px)`;
    bar.style.inlineSize = `max(4px, ${(to - from) * 100}%)`;
    const took = span.result === "told" ? "told, not waited for" : `${span.result}, ${duration(Math.max(end - span.began, 0))}`;
    const text = `${span.undo ? "undo" : "command"}: ${took}`;
    setAttribute(bar, "title", text);
    setAttribute(bar, "aria-label", text);
  };
  return bar;
}

// --- what happened ----------------------------------------------------------------------------

function eventRow(began) {
  const at = el("span", { class: "at num" });
  const step = el("strong");
  const said = el("span");
  const attempt = el("span", { class: "attempt" });
  const then = el("span", { class: "then" });
  const reason = el("span");
  const cause = el("code");
  const because = el("p", { class: "because" }, "because ", reason, " ", cause);
  const row = el("li", {}, at, el("div", {}, el("p", {}, step, " ", said, " ", attempt, " ", then), because));
  row.update = (entry) => {
    setAttribute(row, "data-kind", kind(entry.event));
    setAttribute(row, "data-undoing", entry.undoing ? "" : null);
    setText(at, `+${duration(Math.max(0, entry.at - began))}`);
    at.title = fullMoment(new Date(entry.at * 1000).toISOString());
    setText(step, entry.step);
    setText(said, sentence(entry));
    setText(attempt, (entry.attempt ?? 0) > 1 ? `attempt ${entry.attempt}` : "");
    const next = followUp(entry);
    setText(then, next && `→ ${next}`);
    setText(reason, why(entry));
    setText(cause, entry.cause ?? "");
    because.hidden = !entry.cause;
  };
  return row;
}

function pauseRow() {
  const text = el("span");
  const row = el("li", { class: "pause" }, el("span", { class: "at" }), el("div", {}, text));
  row.update = ({ pause }) => setText(text, `${roughly(pause)} passed`);
  return row;
}

function waitRow(step) {
  const until = el("span", { class: "num" });
  const undo = step.phase.startsWith("UNDO") ? "the undo of " : "";
  const stuck = isStuck(step);
  const lead = stuck ? "Stuck in " : step.phase.endsWith("BACKOFF") ? "Will ask again: " : "Waits for ";
  const row = el("li", { "data-kind": stuck ? "stuck" : "going" }, lead, undo, el("strong", {}, step.step), stuck ? ", until somebody acts" : " ", until);
  let deadline = step.deadline;
  row.update = (changed) => {
    deadline = changed.deadline;
    row.tick();
  };
  row.tick = () => showDeadline(until, deadline);
  return row;
}
