// The paused services, with buttons to unpause them.

import { serviceButton } from "./actions.js";
import { el, keyed, setText } from "./dom.js";
import { many, moment } from "./format.js";
import { section } from "./section.js";

/** The section; hidden while nothing is paused. */
export function pausedSection() {
  const list = el("ul", { class: "rows" });
  const node = section("paused", ["Paused"], list);
  node.hidden = true;
  return {
    node,
    show({ paused = [] }) {
      node.hidden = !paused.length;
      keyed(list, paused, (pause) => `${pause.name} ${pause.since}`, pauseRow);
    },
  };
}

function pauseRow(pause) {
  const kept = el("span");
  const row = el(
    "li",
    { class: "row" },
    el("div", { class: "grow" },
      el("p", {}, el("strong", {}, pause.name), " is paused since ", moment(pause.since), ", ", kept),
      el("p", { class: "why" }, `${pause.by}: ${pause.why}`)),
    el("span", { class: "buttons" }, serviceButton("unpause", pause.name)),
  );
  row.update = (now) => setText(kept, `${many(now.kept, "message")} deferred`);
  return row;
}
