// Number of orders by status.

import { el, keyed, setText } from "./dom.js";
import { count } from "./format.js";
import { kindOf, statusLabel } from "./labels.js";
import { section } from "./section.js";

const STATUSES = ["SUBMITTED", "CREATED", "COMPLETED", "ROLLED_BACK", "CANCELLED"];

/** One line with the counts, each linked to the list of its orders. */
export function ordersSection() {
  const stack = el("div", { class: "stack", "aria-hidden": "true" });
  const list = el("ul", { class: "legend" });
  const number = el("span", { class: "badge num" });
  return {
    node: section("orders", ["All orders", number], stack, list),
    show(snapshot) {
      const known = STATUSES.filter((name) => snapshot.orders[name]);
      const all = known.reduce((sum, name) => sum + snapshot.orders[name], 0);
      setText(number, count(all));
      keyed(stack, known, (name) => name, (name) => el("span", { "data-kind": kindOf(name) }));
      known.forEach((name, i) => {
        stack.children[i].style.flexGrow = snapshot.orders[name];
      });
      keyed(list, known, (name) => name, (name) => {
        const n = el("span", { class: "num" });
        const row = el("li", {}, el("a", { href: `#/orders?status=${name}` }, statusLabel(name)), n);
        row.show = (number) => setText(n, count(number));
        return row;
      });
      known.forEach((name, i) => list.children[i].show(snapshot.orders[name]));
    },
  };
}
