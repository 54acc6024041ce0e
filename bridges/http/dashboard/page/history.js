// The view of the system: its last hours, its workers, waiting records, and the last audit.

import { get } from "./api.js";
import { auditCard } from "./audit-card.js";
import { chart } from "./chart.js";
import { el, heading } from "./dom.js";
import { count, duration, percent } from "./format.js";
import { problemBox } from "./problem.js";
import { filters } from "./route.js";
import { workersSection } from "./workers.js";

const EVERY = 10_000;
const RANGES = [["1", "the last hour"], ["6", "6 hours"], ["24", "24 hours"]];

const rate = (value) => (value >= 10 ? count(Math.round(value)) : String(Number(value.toFixed(2))));
const whole = (value) => count(Math.round(value));
const time = (value) => (value === 0 ? "0" : duration(value));

const CHARTS = [
  ["Sagas a second", "Started and ended.", rate, (h) => [["ended", h.endedRate], ["started", h.startedRate]]],
  ["Cancelled", "Share of the sagas that ended.", percent, (h) => [["cancelled", h.cancelledShare]]],
  ["Duration", "From the start of a saga to its end: half of them, and 95 of 100, took no longer.", time, (h) => [["half", h.durationP50], ["95 of 100", h.durationP95]]],
  ["In flight", "Sagas that have not ended.", whole, (h) => [["in flight", h.inFlight]]],
  ["Trouble", "Sagas that need attention, and those whose deadline has passed.", whole, (h) => [["need attention", h.needsAttention], ["overdue", h.overdue]]],
  ["Lag", "Records that are not handled yet.", whole, (h) => [["waiting", h.waiting]]],
];

/** Show the view in `main`. Returns a function that closes it. */
export function history(main, { parameters }) {
  const hours = RANGES.some(([value]) => value === parameters.get("hours")) ? parameters.get("hours") : "1";
  const choice = el("select", { id: "hours", onchange: () => filters("history", { hours: choice.value }) },
    RANGES.map(([value, name]) => el("option", { value, selected: value === hours }, name)));
  const charts = CHARTS.map(([title, about, format]) => chart(title, about, format, format === whole));
  const none = el("p", { class: "empty", hidden: true }, "There are no figures yet: workers write them every ten seconds.");
  const trouble = el("div");
  const workers = workersSection();
  const audit = auditCard();
  const grid = el("div", { class: "charts" }, charts);
  main.replaceChildren(
    el("div", { class: "page" },
      el("div", { class: "title" }, heading(1, "History"),
        el("form", { class: "filters" }, el("label", { for: "hours" }, "Shows"), choice)),
      trouble, none, grid,
      el("div", { class: "columns" }, workers, audit)));

  const leave = new AbortController();
  async function load() {
    try {
      const [found, running, checked] = await Promise.all([
        get("history", { hours }, leave.signal), get("workers", {}, leave.signal), get("audit", {}, leave.signal),
      ]);
      trouble.replaceChildren();
      none.hidden = found.at.length > 0;
      grid.hidden = !found.at.length;
      CHARTS.forEach(([, , , series], i) => {
        charts[i].update(found.at, series(found).map(([name, values]) => ({ name, values })));
      });
      workers.update(running);
      audit.update(checked.audit);
    } catch (problem) {
      if (problem.name !== "AbortError") trouble.replaceChildren(problemBox(problem));
    }
  }
  load();
  const timer = setInterval(load, EVERY);
  return () => {
    clearInterval(timer);
    leave.abort();
  };
}
