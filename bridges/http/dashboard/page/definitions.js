// The view of definitions: the flow of each version, with failures and durations of its steps.

import { get } from "./api.js";
import { el, heading, keyed, setAttribute, setText } from "./dom.js";
import { flowDrawing } from "./flow.js";
import { count, duration, fine, many, percent, words } from "./format.js";
import { problemBox } from "./problem.js";

const EVERY = 5000;

/** Show the view in `main`. Returns a function that closes it. */
export function definitions(main, { parameters }) {
  const only = parameters.get("saga") ?? "";
  const about = el("p", { class: "muted" });
  const trouble = el("div");
  const list = el("div");
  const none = el("p", { class: "empty", hidden: true });
  main.replaceChildren(
    el("div", { class: "page" },
      el("div", { class: "title" }, heading(1, "Definitions"), about,
        only ? el("a", { href: "#/definitions" }, "All definitions") : null),
      trouble, none, list));

  const leave = new AbortController();
  async function load() {
    try {
      const found = await get("definitions", {}, leave.signal);
      trouble.replaceChildren();
      const shown = found.definitions.filter(({ definition }) => !only || definition.saga === only);
      setText(about, `Failures and durations are of the newest ${many(found.sampled, "saga")}.`);
      none.hidden = shown.length > 0;
      setText(none, only ? `There is no saga ${only}.` : "There are no definitions.");
      keyed(list, shown, ({ definition }) => `${definition.saga} ${definition.version}`, definitionSection);
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

function definitionSection({ definition }) {
  const id = `definition-${definition.saga}-${definition.version}`;
  const flight = el("span", { class: "muted" });
  const sample = el("span");
  const rows = el("tbody");
  const flow = flowDrawing(`Flow of ${definition.saga}, version ${definition.version}`, `${id}-steps`);
  const columns = ["Step", "Service", "In flight", "Done", "Failed", "Failure rate", "Half took", "95 of 100 took", "Deadline", "Attempts"];
  const node = el("section", { class: "saga", "aria-labelledby": id },
    el("div", { class: "saga-head" },
      el("h2", { id, tabindex: "-1" }, `${definition.saga} `, el("span", { class: "muted" }, `version ${definition.version}`)), flight),
    el("p", { class: "hint" }, facts(definition), " ", sample),
    flow,
    el("table", { class: "steps even", id: `${id}-steps`, "aria-label": `Steps of ${definition.saga}, version ${definition.version}` },
      el("thead", {}, el("tr", {}, columns.map((name, i) => el("th", { scope: "col", class: i > 1 ? "end" : null }, name)))),
      rows));
  node.update = ({ definition: current, inFlight, sampled, steps }) => {
    const all = Object.values(inFlight).reduce((a, b) => a + b, 0);
    const parts = Object.entries(inFlight).map(([status, number]) => `${count(number)} ${words(status)}`);
    setText(flight, `${count(all)} in flight${all ? ` (${parts.join(", ")})` : ""}`);
    flow.update(current, null);
    const byName = new Map(current.steps.map((step) => [step.step, step]));
    // Without sagas the figures are unknown, not zero.
    const known = sampled ? steps : steps.map((each) => ({ ...each, done: null }));
    setText(sample, sampled ? `Figures of the newest ${many(sampled, "saga")}.` : "None of the newest sagas has this version.");
    keyed(rows, known, (each) => each.step, (each) => stepRow(byName.get(each.step)));
  };
  return node;
}

function facts({ startsOn, newest, registered, exclusive, deadline }) {
  return [
    `Starts on ${startsOn}.`,
    newest ? "New sagas begin with this version." : registered ? "Kept for sagas in flight." : "Not registered in this program.",
    exclusive ? "Sagas of one key run one after the other." : "",
    deadline ? `Its deadline is ${duration(deadline)}.` : "",
  ].filter(Boolean).join(" ");
}

function stepRow(step) {
  const names = ["Service", "In flight", "Done", "Failed", "Failure rate", "Half took", "95 of 100 took", "Deadline", "Attempts"];
  const cells = names.map((name, i) => el("td", { class: i ? "num end" : null, "data-label": name }));
  const row = el("tr", {}, el("th", { scope: "row" }, step.step, el("span", { class: "muted" }, marks(step))), cells);
  row.update = (each) => {
    const texts = [
      step.child ? `saga ${step.child}` : step.to, each.inFlight ? count(each.inFlight) : "",
      each.done === null ? "" : count(each.done), each.failed ? count(each.failed) : "", percent(each.failureShare),
      each.durationP50 === null ? "" : fine(each.durationP50), each.durationP95 === null ? "" : fine(each.durationP95),
      step.within ? duration(step.within) : "", step.attempts ?? "",
    ];
    cells.forEach((cell, i) => setText(cell, texts[i]));
    setAttribute(cells[4], "data-late", each.failureShare > 0.1 ? "" : null);
  };
  return row;
}

const marks = (step) => [
  step.pivot && "pivot", step.conditional && "if a condition holds", step.item && (step.inOrder ? "items in order" : "for each item"), step.undo && "can be undone",
].filter(Boolean).map((each) => ` · ${each}`).join("");
