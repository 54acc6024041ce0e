// The open dead letters: one by one if they are few, else in groups of one cause.

import { letterButton } from "./actions.js";
import { el, keyed, setText } from "./dom.js";
import { count, moment } from "./format.js";
import { letterGroups } from "./letter-groups.js";
import * as letters from "./letters.js";
import { polled } from "./polled.js";
import { section, UNKNOWN } from "./section.js";

const EVERY = 10_000;
/** Number of letters that are shown one by one. */
const FEW = 4;

/** A section; `show(letters)` updates it with the latest result. It asks for groups until `stop()`. */
export function lettersSection() {
  const list = el("ul", { class: "rows" });
  const none = el("p", { class: "empty" }, UNKNOWN);
  const more = el("p", { class: "more", hidden: true }, el("a", { href: "#/dead-letters" }, "All dead letters"));
  const groups = letterGroups(letters.refresh);
  const number = el("span", { class: "badge num" });
  let found = [];
  let shown = "";
  const poll = polled("dead-letters/groups", {}, EVERY, ({ data }) => groups.show(data?.groups ?? [], found.length > FEW ? 1 : Infinity));
  return {
    node: section("letters", ["Dead letters", number], groups.nodes[0], none, groups.nodes[1], list, more),
    stop: poll.stop,
    show({ page, problem }) {
      found = page?.deadLetters ?? [];
      setText(number, found.length ? `${count(found.length)}${page.next ? "+" : ""}` : "");
      none.hidden = found.length > 0;
      if (problem) setText(none, `${problem.title}: ${problem.detail}`);
      else setText(none, page ? "There are no open dead letters." : UNKNOWN);
      more.hidden = !found.length;
      const now = found.map((letter) => letter.number).join();
      if (shown !== now) poll.again();
      shown = now;
      keyed(list, found.length > FEW ? [] : found, (letter) => letter.number, letterRow);
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
