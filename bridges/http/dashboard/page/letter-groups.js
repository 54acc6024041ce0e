// Open dead letters in groups of one topic and one kind of error, with actions on each.

import { letterGroupButton } from "./actions.js";
import { el, keyed, setText } from "./dom.js";
import { count, moment } from "./format.js";

/** A list; `show(groups, least)` updates it with the groups of at least so many letters. */
export function letterGroups(done) {
  const trouble = el("div");
  const tell = (problem) => trouble.replaceChildren(...problem);
  const list = el("ul", { class: "rows groups", "aria-label": "Groups of dead letters" });
  return {
    nodes: [trouble, list],
    show(groups, least = 2) {
      const shown = groups.filter((group) => group.count >= least);
      list.hidden = !shown.length;
      keyed(list, shown, (group) => `${group.topic} ${group.kind}`, (group) => groupRow(group, tell, done));
    },
  };
}

function groupRow(group, tell, done) {
  let now = group;
  const name = el("strong");
  const text = el("span");
  const why = el("p", { class: "why" });
  const current = () => now;
  const row = el("li", { class: "row" },
    el("div", { class: "grow" }, el("p", {}, name, text), why),
    el("span", { class: "buttons" },
      // A record that does not say where it came from can only be discarded.
      group.topic ? letterGroupButton("replay", current, tell, done) : null,
      letterGroupButton("discard", current, tell, done)));
  row.update = (changed) => {
    now = changed;
    setText(name, `${count(now.count)} ×`);
    setText(text, ` ${now.topic || "unknown topic"}, since ${moment(now.oldest)}`);
    setText(why, now.kind);
    why.title = now.example;
  };
  return row;
}
