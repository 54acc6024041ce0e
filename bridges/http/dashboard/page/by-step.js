// Number of sagas in flight by the step they wait for.

import { el, keyed, setText } from "./dom.js";
import { count } from "./format.js";
import { section } from "./section.js";

/** One bar per step, in the order of the saga definition. */
export function stepsSection() {
  const list = el("ul", { class: "bars" });
  const number = el("span", { class: "badge num" });
  return {
    node: section("steps", ["In flight, by step", number], list),
    show(snapshot) {
      const steps = Object.entries(snapshot.steps).filter(([name, n]) => name || n);
      const most = Math.max(1, ...steps.map(([, n]) => n));
      setText(number, snapshot.inFlight ? count(snapshot.inFlight) : "");
      keyed(list, steps, ([name]) => name, barRow);
      [...list.children].forEach((row) => row.scale(most));
    },
  };
}

function barRow([name]) {
  const bar = el("span", { class: "bar" });
  const number = el("span", { class: "num" });
  const row = el("li", {}, el("span", {}, name || "between steps"), el("span", { class: "track", "aria-hidden": "true" }, bar), number);
  let n = 0;
  row.update = ([, now]) => {
    n = now;
    setText(number, count(n));
    row.toggleAttribute("data-none", !n);
  };
  row.scale = (most) => {
    bar.style.inlineSize = n ? `max(3px, ${(n / most) * 100}%)` : "0";
  };
  return row;
}
