// The actions that wait for the approval of a second person.

import { approvalButton } from "./actions.js";
import { el, keyed } from "./dom.js";
import { moment } from "./format.js";
import { polled } from "./polled.js";
import { section } from "./section.js";

const EVERY = 5000;
const SHOWN = 6;

/** The section; hidden while nothing waits. It polls its data until `stop()`. */
export function approvalsSection() {
  const list = el("ul", { class: "rows" });
  const more = el("p", { class: "more" }, el("a", { href: "#/actions?outcome=pending" }, "All that wait for an approval"));
  const node = section("approvals", ["Waits for approval"], list, more);
  node.hidden = true;
  const poll = polled("operator-actions", { outcome: "pending", limit: SHOWN }, EVERY, ({ data }) => {
    const found = data?.actions ?? [];
    node.hidden = !found.length;
    more.hidden = !data?.next;
    keyed(list, found, (action) => action.number, (action) => row(action, poll));
  });
  return { node, stop: poll.stop };
}

function row(action, poll) {
  return el("li", { class: "row" },
    el("div", { class: "grow" },
      el("p", {}, el("strong", {}, `${action.action} ${action.step}`.trim()), ` of ${action.target}, since ${moment(action.at)}`),
      el("p", { class: "why" }, `${action.by}: ${action.why}`)),
    el("span", { class: "buttons" }, approvalButton("approve", action, poll.again), approvalButton("reject", action, poll.again)));
}
