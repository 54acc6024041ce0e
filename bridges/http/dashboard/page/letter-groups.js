// Open dead letters in groups of one topic and one kind of error, with actions on each.

import { letterGroupButton } from "./actions.js";
import { el, keyed, setText } from "./dom.js";
import { count, moment } from "./format.js";

/** A list; `show(groups)` updates it. Groups of one are left out. */
export function letterGroups(done) {
  const trouble = el("div");
  const tell = (problem) => trouble.replaceChildren(...problem);
  const list = el("ul", { class: "rows groups", "aria-label": "Groups of dead letters" });
  return {
    nodes: [trouble, list],
    show(groups) {
      const several = groups.filter((group) => group.count > 1);
      list.hidden = !several.length;
      keyed(list, several, (group) => `${group.topic} ${group.kind}`, (group) => groupRow(group, tell, done));
    },
  };
}

function groupRow(group, tell, done) {
  let now = group;
  const text = el("p");
  const why = el("p", { class: "why" });
  const current = () => now;
  const row = el("li", { class: "row" },
    el("div", { class: "grow" }, text, why),
    el("span", { class: "buttons" },
      // A record that does not say where it came from can only be discarded.
      group.topic ? letterGroupButton("replay", current, tell, done) : null,
      letterGroupButton("discard", current, tell, done)));
  row.update = (changed) => {
    now = changed;
    setText(text, `${count(now.count)} × ${now.topic || "unknown topic"}, since ${moment(now.oldest)}`);
    setText(why, now.kind);
    why.title = now.example;
  };
  return row;
}
