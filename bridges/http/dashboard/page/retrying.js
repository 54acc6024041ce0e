// Sagas that retry a step, in groups: not stuck yet.

import { retryingButton } from "./actions.js";
import { el, keyed, setText } from "./dom.js";
import { count, moment } from "./format.js";
import { polled } from "./polled.js";
import { section, UNKNOWN } from "./section.js";

const EVERY = 5000;

/** A section that polls its data until `stop()`. */
export function retryingSection() {
  const list = el("ul", { class: "rows groups", "aria-label": "Retried steps" });
  const none = el("p", { class: "empty" }, UNKNOWN);
  const number = el("span", { class: "badge num" });
  const more = el("p", { class: "hint", hidden: true }, "Only the sagas with the earliest deadlines were looked at.");
  const trouble = el("div");
  const tell = (problem) => trouble.replaceChildren(...problem);
  const poll = polled("sagas/retrying", {}, EVERY, ({ data, problem }) => {
    const groups = data?.groups ?? [];
    const all = groups.reduce((sum, group) => sum + group.count, 0);
    none.hidden = groups.length > 0;
    setText(none, problem ? `${problem.title}: ${problem.detail}` : data ? "No step is being retried." : UNKNOWN);
    setText(number, all ? count(all) : "");
    more.hidden = !data?.more;
    keyed(list, groups, (group) => `${group.saga} ${group.step} ${group.undo} ${group.cause}`, (group) => groupRow(group, tell));
  });
  return { node: section("retrying", ["Being retried", number], trouble, none, list, more), stop: poll.stop };
}

function groupRow(group, tell) {
  let now = group;
  const number = el("strong");
  const text = el("span");
  const since = el("p", { class: "why" });
  const row = el("li", { class: "row" },
    el("div", { class: "grow" }, el("p", {}, number, text), since),
    // A compensation cannot be cancelled.
    el("span", { class: "buttons" }, group.undo ? null : retryingButton(() => now, tell)));
  row.update = (changed) => {
    now = changed;
    setText(number, `${count(now.count)} ×`);
    setText(text, ` ${now.undo ? "undo of " : ""}${now.step}: ${now.cause}, attempt ${now.attempt}`);
    const next = now.nextAt ? `, next at ${moment(now.nextAt)}` : "";
    setText(since, `${now.saga}${next}, the oldest begun ${moment(now.oldest)}`);
  };
  return row;
}
