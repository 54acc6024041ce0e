// The overview: figures, counts, deadlines, and what needs attention.

import { ordersSection } from "./by-status.js";
import { stepsSection } from "./by-step.js";
import { everySecond } from "./clock.js";
import { deadlinesSection } from "./deadlines.js";
import { el, heading } from "./dom.js";
import { makeFigures } from "./figures.js";
import * as letters from "./letters.js";
import { live } from "./live.js";
import { attentionSection } from "./needs-attention.js";
import { earlySection } from "./early-replies.js";
import { lettersSection } from "./open-letters.js";
import { approvalsSection } from "./approvals.js";
import { pausedSection } from "./paused.js";
import { polled } from "./polled.js";
import { retryingSection } from "./retrying.js";

/** Milliseconds between requests for the history: the interval at which workers write it. */
const EVERY = 10_000;

/** Show the overview in `main`. Returns a function that closes the view. */
export function overview(main) {
  const figures = makeFigures();
  const attention = attentionSection();
  const deadlines = deadlinesSection();
  const steps = stepsSection();
  const orders = ordersSection();
  const dead = lettersSection();
  const paused = pausedSection();
  const retrying = retryingSection();
  const approvals = approvalsSection();
  const early = earlySection();
  main.replaceChildren(
    el("div", { class: "title" }, heading(1, "Overview"), figures.since),
    figures.node,
    el(
      "div",
      { class: "columns" },
      el("div", {}, paused.node, approvals.node, attention.node, retrying.node, dead.node, early.node),
      el("div", {}, steps.node, orders.node, deadlines.node),
    ),
  );
  const show = () => {
    const { snapshot } = live;
    if (!snapshot) return;
    for (const each of [figures, paused, attention, deadlines, steps, orders]) each.show(snapshot);
  };
  const showLetters = () => {
    figures.showLetters(letters.latest());
    dead.show(letters.latest());
  };
  live.addEventListener("snapshot", show);
  letters.changed.addEventListener("change", showLetters);
  show();
  showLetters();
  const kept = polled("history", {}, EVERY, (found) => figures.showHistory(found));
  const stop = everySecond(() => deadlines.tick());
  return () => {
    stop();
    for (const each of [kept, retrying, approvals, dead, early]) each.stop();
    live.removeEventListener("snapshot", show);
    letters.changed.removeEventListener("change", showLetters);
  };
}
