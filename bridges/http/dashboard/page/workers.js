// Workers with their shards and restarts, and the records that wait for each role.

import { el, keyed, setAttribute, setText } from "./dom.js";
import { count, many, rate, roughly } from "./format.js";
import { section, UNKNOWN } from "./section.js";

/** A section; `update(workers)` shows the answer of the API. */
export function workersSection() {
  const rows = el("tbody");
  const table = el("table", { hidden: true },
    el("thead", {}, el("tr", {}, ["Worker", "State", "Shards", "In flight", "Ended/s", "Restarts", "Up for"].map((name, i) =>
      el("th", { scope: "col", class: i > 1 ? "end" : null }, name)))),
    rows);
  const about = el("p", { class: "empty" }, UNKNOWN);
  const error = el("p", { class: "why" });
  const lag = el("ul", { class: "legend" });
  const waits = el("p", { class: "empty", hidden: true });
  const node = section("workers", ["Workers"], table, about, error, el("h3", {}, "Records that wait, by role"), lag, waits);
  node.update = ({ running, workers, lastError, lagByRole }) => {
    table.hidden = !workers.length;
    about.hidden = workers.length > 0;
    setText(about, running ? `${many(running, "worker")} running, not under a supervisor of this machine.` : "No worker runs.");
    setText(error, lastError ? `Last error: ${lastError}` : "");
    keyed(rows, workers, (each) => each.number, workerRow);
    const roles = Object.entries(lagByRole ?? {});
    keyed(lag, roles, ([role]) => role, lagRow);
    waits.hidden = roles.length > 0;
    setText(waits, lagByRole ? "No role reads records." : "Not known: Kafka does not answer.");
  };
  return node;
}

function workerRow() {
  const cells = ["State", "Shards", "In flight", "Ended/s", "Restarts", "Up for"].map((name, i) =>
    el("td", { class: i ? "num end" : null, "data-label": name }));
  const number = el("th", { scope: "row" });
  const row = el("tr", {}, number, cells);
  row.update = (worker) => {
    setText(number, `${worker.number}${worker.pid ? `, process ${worker.pid}` : ""}`);
    const texts = [
      worker.state, count(worker.shards.length), count(worker.inFlight), rate(worker.endedRate),
      count(worker.restarts), worker.seconds ? roughly(worker.seconds) : "",
    ];
    cells.forEach((cell, i) => setText(cell, texts[i]));
    setAttribute(cells[0], "data-late", worker.state === "running" ? null : "");
  };
  return row;
}

function lagRow([role]) {
  const number = el("span", { class: "num" });
  const row = el("li", {}, el("span", {}, role), number);
  row.update = ([, waiting]) => setText(number, waiting === null ? "never started" : count(waiting));
  return row;
}
