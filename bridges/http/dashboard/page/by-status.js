// Number of orders by status, or of sagas in an app without orders.

import { el, keyed, setText } from "./dom.js";
import { count } from "./format.js";
import { kindOf, statusLabel } from "./labels.js";
import { section } from "./section.js";

const ORDERS = ["SUBMITTED", "CREATED", "COMPLETED", "ROLLED_BACK", "CANCELLED"];
const SAGAS = ["RUNNING", "COMPENSATING", "NEEDS_ATTENTION", "COMPLETED", "CANCELLED"];

/** One line with the counts, each linked to the list of these orders or sagas. */
export function ordersSection() {
  const stack = el("div", { class: "stack", "aria-hidden": "true" });
  const list = el("ul", { class: "legend" });
  const name = el("span");
  const number = el("span", { class: "badge num" });
  return {
    node: section("orders", [name, number], stack, list),
    show({ ordersSaga, orders, sagas }) {
      const counts = ordersSaga ? orders : sagas;
      const known = (ordersSaga ? ORDERS : SAGAS).filter((status) => counts[status]);
      const all = known.reduce((sum, status) => sum + counts[status], 0);
      setText(name, ordersSaga ? "All orders" : "All sagas");
      setText(number, count(all));
      stack.hidden = !all;
      keyed(stack, known, (status) => status, (status) => el("span", { "data-kind": kindOf(status) }));
      known.forEach((status, i) => {
        stack.children[i].style.flexGrow = counts[status];
      });
      keyed(list, known, (status) => status, (status) => {
        const n = el("span", { class: "num" });
        const filter = ordersSaga ? "status" : "saga";
        const row = el("li", {}, el("a", { href: `#/orders?${filter}=${status}` }, statusLabel(status)), n);
        row.show = (number) => setText(n, count(number));
        return row;
      });
      known.forEach((status, i) => list.children[i].show(counts[status]));
    },
  };
}
