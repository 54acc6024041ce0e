// Replies and signals that came before their saga had sent the step, and are kept until then.

import { el, keyed } from "./dom.js";
import { count, moment, words } from "./format.js";
import { ofOrder } from "./links.js";
import { polled } from "./polled.js";
import { section } from "./section.js";

const EVERY = 10_000;
const SHOWN = 5;

/** A section that polls its data until `stop()`; hidden while nothing is kept. */
export function earlySection() {
  const number = el("span", { class: "badge num" });
  const list = el("ul", { class: "rows" });
  const node = section("early", ["Early replies", number],
    el("p", { class: "hint" }, "They came before their saga had sent the step, and are delivered when it does. Those of unknown orders become dead letters after a time."),
    list);
  node.hidden = true;
  const poll = polled("sagas/early", { limit: SHOWN }, EVERY, ({ data }) => {
    node.hidden = !data?.count;
    number.textContent = count(data?.count);
    keyed(list, data?.replies ?? [], (each) => `${each.at} ${each.orderId} ${each.status}`, replyRow);
  });
  return { node, stop: poll.stop };
}

function replyRow(reply) {
  return el("li", { class: "row" }, el("div", { class: "grow" },
    el("p", {}, ofOrder(reply), " ", words(reply.status) || "a message", ` from ${reply.topic}`, " ",
      el("span", { class: "muted num" }, `kept since ${moment(reply.at)}`))));
}
