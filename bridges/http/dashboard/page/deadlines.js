// The sagas with the earliest deadlines, overdue ones included.

import { showDeadline } from "./deadline.js";
import { el, keyed, setText } from "./dom.js";
import { statusLabel } from "./labels.js";
import { ofOrder } from "./links.js";
import { section, UNKNOWN } from "./section.js";

/** A section; `tick()` updates the countdowns. */
export function deadlinesSection() {
  const body = el("tbody");
  const none = el("p", { class: "empty" }, UNKNOWN);
  const table = el(
    "table",
    { hidden: true },
    el("thead", {}, el("tr", {}, ["Order", "Deadline"].map((name, i) => el("th", { scope: "col", class: i ? "end" : null }, name)))),
    body,
  );
  return {
    node: section("deadlines", ["Oldest deadlines"], none, table),
    show(snapshot) {
      const found = snapshot.oldestDeadlines ?? [];
      none.hidden = found.length > 0;
      setText(none, "No saga waits for a deadline.");
      table.hidden = !found.length;
      keyed(body, found, (saga) => saga.sagaId, deadlineRow);
    },
    tick: () => [...body.children].forEach((row) => row.tick()),
  };
}

function deadlineRow(saga) {
  const step = el("span");
  const label = statusLabel(saga.status);
  const deadline = el("td", { class: "num end" });
  const row = el("tr", {}, el("td", {}, ofOrder(saga), el("p", { class: "why" }, label, " in ", step)), deadline);
  let now = saga;
  row.update = (changed) => {
    now = changed;
    setText(step, now.step);
    label.show(now.status);
    row.tick();
  };
  // During a pause no saga times out: its deadline is put off.
  row.tick = () => showDeadline(deadline, now.paused ? null : now.deadline, now.paused && `${now.paused} is paused`);
  return row;
}
