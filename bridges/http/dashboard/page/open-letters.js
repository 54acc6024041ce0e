// The oldest open dead letters.

import { letterButton } from "./actions.js";
import { el, keyed, setText } from "./dom.js";
import { moment } from "./format.js";
import { letterGroups } from "./letter-groups.js";
import * as letters from "./letters.js";
import { polled } from "./polled.js";
import { section, UNKNOWN } from "./section.js";

const EVERY = 10_000;

/** A section; `show(letters)` updates it with the latest result. It asks for groups until `stop()`. */
export function lettersSection() {
  const list = el("ul", { class: "rows" });
  const none = el("p", { class: "empty" }, UNKNOWN);
  const more = el("p", { class: "more" }, el("a", { href: "#/dead-letters" }, "All dead letters"));
  const groups = letterGroups(letters.refresh);
  const poll = polled("dead-letters/groups", {}, EVERY, ({ data }) => groups.show(data?.groups ?? []));
  let shown = "";
  return {
    node: section("letters", ["Dead letters"], groups.nodes[0], none, groups.nodes[1], list, more),
    stop: poll.stop,
    show({ page, problem }) {
      const found = page?.deadLetters ?? [];
      none.hidden = found.length > 0;
      if (problem) setText(none, `${problem.title}: ${problem.detail}`);
      else setText(none, page ? "No record is left that nobody could handle." : UNKNOWN);
      more.hidden = !found.length;
      const now = found.map((letter) => letter.number).join();
      if (shown !== now) poll.again();
      shown = now;
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
