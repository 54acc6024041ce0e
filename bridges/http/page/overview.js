// Everything at a glance: how it goes, and what needs somebody.

import { letterButton, sagaButton } from "./actions.js";
import { everySecond } from "./clock.js";
import { showDeadline } from "./deadline.js";
import { el, heading, keyed, setAttribute, setText } from "./dom.js";
import { count, moment, percent, rate, roughly, words } from "./format.js";
import { kindOf, statusLabel } from "./labels.js";
import * as letters from "./letters.js";
import { orderLink } from "./links.js";
import { live } from "./live.js";
import { pausedSection } from "./paused.js";
import * as samples from "./samples.js";
import { sparkline } from "./sparkline.js";

const STUCK_SHOWN = 8;
const STATUSES = ["SUBMITTED", "CREATED", "COMPLETED", "ROLLED_BACK", "CANCELLED"];

/** Show the overview in `main`; answers how to leave it. */
export function overview(main) {
  const figures = makeFigures();
  const attention = attentionSection();
  const deadlines = deadlinesSection();
  const steps = stepsSection();
  const orders = ordersSection();
  const dead = lettersSection();
  const paused = pausedSection();
  main.replaceChildren(
    el("div", { class: "title" }, heading(1, "Overview"), figures.since),
    figures.node,
    el(
      "div",
      { class: "columns" },
      el("div", {}, paused.node, attention.node, deadlines.node),
      el("div", {}, steps.node, orders.node, dead.node),
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
  const stop = everySecond(() => deadlines.tick());
  return () => {
    stop();
    live.removeEventListener("snapshot", show);
    letters.changed.removeEventListener("change", showLetters);
  };
}

// --- figures ----------------------------------------------------------------------------------

function makeFigures() {
  const since = el("p", { class: "muted", id: "since" });
  const flight = figure("In flight", "flight", true);
  const ended = figure("Ended a second", "ended", true);
  const failed = figure("Cancelled", "failed", true);
  const stuck = figure("Need attention", "stuck");
  const late = figure("Overdue", "late");
  const dead = figure("Dead letters", "dead");
  const node = el("dl", { class: "figures" }, [flight, ended, failed, stuck, late, dead].map((f) => f.node));
  return {
    node,
    since,
    show(snapshot) {
      const throughput = samples.throughput();
      const reach = samples.reach();
      const span = reach < samples.WINDOW - 5 ? roughly(reach) : "5 min";
      const window = samples.span();
      setText(since, `The last ${span}, as this page saw them`);
      flight.say(count(snapshot.inFlight), `${count(snapshot.sagas.COMPENSATING ?? 0)} being undone`);
      flight.spark.draw(samples.inFlight(), window, 5);
      ended.say(rate(throughput.at(-1)?.[1] ?? null), `${rate(peak(throughput))} at most`);
      ended.spark.draw(throughput, window, 1);
      failed.say(percent(samples.failuresOverAll()), "of what ended");
      failed.spark.draw(samples.failures(), window, 0.2);
      const attention = snapshot.sagas.NEEDS_ATTENTION ?? 0;
      stuck.say(count(attention), attention ? "stuck until somebody acts" : "nothing is stuck");
      setAttribute(stuck.node, "data-kind", attention ? "stuck" : null);
      late.say(count(snapshot.overdue), snapshot.overdue ? "their deadline has passed" : "every deadline is ahead");
      setAttribute(late.node, "data-kind", snapshot.overdue ? "back" : null);
    },
    showLetters({ page, problem }) {
      const number = page?.deadLetters.length ?? 0;
      const text = page ? `${count(number)}${page.next ? "+" : ""}` : "–";
      dead.say(text, problem ? problem.title : number ? "nobody has seen to them" : "none is open");
      setAttribute(dead.node, "data-kind", number ? "back" : null);
    },
  };
}

function peak(points) {
  const known = points.map(([, value]) => value).filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
}

function figure(name, key, withSpark = false) {
  const value = el("span", { class: "value num" }, "–");
  const note = el("span", { class: "note" });
  const spark = withSpark ? sparkline() : null;
  const node = el("div", { class: "figure", "data-figure": key }, el("dt", {}, name), el("dd", {}, value, note, spark));
  return {
    node,
    spark,
    say(text, more) {
      setText(value, text);
      setText(note, more);
    },
  };
}

// --- what needs somebody ----------------------------------------------------------------------

function attentionSection() {
  const list = el("ul", { class: "rows" });
  const none = el("p", { class: "empty" }, "Nothing needs attention.");
  const more = el("p", { class: "more" }, el("a", { href: "#/orders?saga=NEEDS_ATTENTION" }, "All that need attention"));
  const number = el("span", { class: "badge num" });
  return {
    node: section("attention", ["Needs attention", number], none, list, more),
    show(snapshot) {
      const all = snapshot.sagas.NEEDS_ATTENTION ?? 0;
      none.hidden = all > 0;
      more.hidden = all <= STUCK_SHOWN;
      setText(number, all || "");
      keyed(list, snapshot.needsAttention.slice(0, STUCK_SHOWN), (saga) => saga.sagaId, attentionRow);
    },
  };
}

function attentionRow(saga) {
  const buttons = el("span", { class: "buttons" });
  const stuckIn = el("span");
  const stuckAt = el("strong");
  const why = el("p", { class: "why" });
  let shown = null;
  const row = el(
    "li",
    { class: "row" },
    el("div", { class: "grow" },
      el("p", {}, orderLink(saga.orderId), " ", stuckIn, " ", stuckAt),
      why),
    buttons,
  );
  row.update = (now) => {
    setText(stuckIn, now.code ? "stuck in the undo of" : "stuck in");
    setText(stuckAt, now.step);
    const cause = now.reason ? ` · ${words(now.code)}: ${now.reason}` : "";
    setText(why, `${now.saga}, begun ${moment(now.startedAt)}${cause}`);
    if (shown === now.step) return;
    shown = now.step;
    const several = now.step.includes(", ");
    buttons.replaceChildren(
      ...(several
        ? [sagaButton("resume", now)]
        : [sagaButton("retry", now, now.step), sagaButton("skip", now, now.step)]),
    );
  };
  return row;
}

// --- deadlines --------------------------------------------------------------------------------

function deadlinesSection() {
  const body = el("tbody");
  const none = el("p", { class: "empty" }, "No saga waits for a deadline.");
  const table = el(
    "table",
    {},
    el("thead", {}, el("tr", {}, ["Order", "Waits for", "Saga", "Deadline"].map((name) => el("th", { scope: "col" }, name)))),
    body,
  );
  return {
    node: section("deadlines", ["Oldest deadlines"], none, table),
    show(snapshot) {
      const found = snapshot.oldestDeadlines ?? [];
      none.hidden = found.length > 0;
      table.hidden = !found.length;
      keyed(body, found, (saga) => saga.sagaId, deadlineRow);
    },
    tick: () => [...body.children].forEach((row) => row.tick()),
  };
}

function deadlineRow(saga) {
  const step = el("td");
  const label = statusLabel(saga.status);
  const deadline = el("td", { class: "num end" });
  const row = el("tr", {}, el("td", {}, orderLink(saga.orderId)), step, el("td", {}, label), deadline);
  let now = saga;
  row.update = (changed) => {
    now = changed;
    setText(step, now.step);
    label.show(now.status);
    row.tick();
  };
  row.tick = () => showDeadline(deadline, now.deadline);
  return row;
}

// --- in flight by step ------------------------------------------------------------------------

function stepsSection() {
  const list = el("ul", { class: "bars" });
  const number = el("span", { class: "badge num" });
  return {
    node: section("steps", ["In flight, by step", number], list),
    show(snapshot) {
      const steps = Object.entries(snapshot.steps).filter(([name, n]) => name || n);
      const most = Math.max(1, ...steps.map(([, n]) => n));
      setText(number, snapshot.inFlight ? count(snapshot.inFlight) : "");
      keyed(list, steps, ([name]) => name, barRow);
      [...list.children].forEach((row) => row.scale(most));
    },
  };
}

function barRow([name]) {
  const bar = el("span", { class: "bar" });
  const number = el("span", { class: "num" });
  const row = el("li", {}, el("span", {}, name || "between steps"), el("span", { class: "track", "aria-hidden": "true" }, bar), number);
  let n = 0;
  row.update = ([, now]) => {
    n = now;
    setText(number, count(n));
    row.toggleAttribute("data-none", !n);
  };
  row.scale = (most) => {
    bar.style.inlineSize = n ? `max(3px, ${(n / most) * 100}%)` : "0";
  };
  return row;
}

// --- orders by status -------------------------------------------------------------------------

function ordersSection() {
  const stack = el("div", { class: "stack", "aria-hidden": "true" });
  const list = el("ul", { class: "legend" });
  const number = el("span", { class: "badge num" });
  return {
    node: section("orders", ["All orders", number], stack, list),
    show(snapshot) {
      const known = STATUSES.filter((name) => snapshot.orders[name]);
      const all = known.reduce((sum, name) => sum + snapshot.orders[name], 0);
      setText(number, count(all));
      keyed(stack, known, (name) => name, (name) => el("span", { "data-kind": kindOf(name) }));
      known.forEach((name, i) => {
        stack.children[i].style.flexGrow = snapshot.orders[name];
      });
      keyed(list, known, (name) => name, (name) => {
        const n = el("span", { class: "num" });
        const row = el("li", {}, el("a", { href: `#/orders?status=${name}` }, statusLabel(name)), n);
        row.update = () => setText(n, count(live.snapshot.orders[name]));
        return row;
      });
    },
  };
}

// --- dead letters -----------------------------------------------------------------------------

function lettersSection() {
  const list = el("ul", { class: "rows" });
  const none = el("p", { class: "empty" }, "No record is left that nobody could handle.");
  const more = el("p", { class: "more" }, el("a", { href: "#/dead-letters" }, "All dead letters"));
  return {
    node: section("letters", ["Dead letters"], none, list, more),
    show({ page, problem }) {
      const found = page?.deadLetters ?? [];
      none.hidden = found.length > 0;
      if (problem) setText(none, `${problem.title}: ${problem.detail}`);
      more.hidden = !found.length;
      keyed(list, found.slice(0, 4), (letter) => letter.number, letterRow);
    },
  };
}

function letterRow(letter) {
  return el(
    "li",
    { class: "row" },
    el("div", { class: "grow" },
      el("p", {}, el("strong", { class: "num" }, `#${letter.number}`), " ", letter.topic || "unknown topic", " ",
        el("span", { class: "muted" }, moment(letter.time))),
      el("p", { class: "why" }, letter.error)),
    el("span", { class: "buttons" },
      letterButton("replay", letter, letters.refresh), letterButton("discard", letter, letters.refresh)),
  );
}

// --- parts ------------------------------------------------------------------------------------

function section(id, title, ...children) {
  return el("section", { id: `${id}-section`, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title`, tabindex: "-1" }, ...title), ...children);
}
