// The view of one order: its entities in each service, and the history of its sagas.

import { get, part } from "./api.js";
import { everySecond } from "./clock.js";
import { el, heading, keyed, setText } from "./dom.js";
import { count, fullMoment, moment, words } from "./format.js";
import { statusLabel } from "./labels.js";
import { sagaAddress } from "./links.js";
import { live } from "./live.js";
import { problemBox } from "./problem.js";
import { detailsOf } from "./saga-details.js";
import { sagaSection } from "./saga.js";

const ENDED = ["COMPLETED", "CANCELLED"];
const WIDE = ["Lines", "Reason"];

/** Show an order in `main`. Returns a function that closes the view. */
export function order(main, { id }) {
  const label = statusLabel("");
  const facts = el("dl", { class: "facts" });
  const trouble = el("div");
  const sagas = el("div");
  const waits = el("p", { class: "empty", hidden: true }, "Its record waits in the log; its saga has not begun.");
  main.replaceChildren(
    el("div", { class: "page" },
      el("p", { class: "back" }, el("a", { href: "#/orders" }, "Orders")),
      el("div", { class: "title" }, heading(1, "Order ", el("code", {}, id)), label),
      trouble, facts, waits, sagas),
  );
  label.hidden = true;

  const leave = new AbortController();
  const details = detailsOf();
  let found = null;
  let busy = false;

  async function load() {
    if (busy) return;
    busy = true;
    try {
      found = await get(`orders/${part(id)}`, {}, leave.signal);
      trouble.replaceChildren();
      show();
      await Promise.all(found.sagas.map((saga) => details.load(saga, leave.signal)));
      show();
    } catch (problem) {
      if (problem.name === "AbortError") return;
      if (problem.status === 404 && !found && (await leadsToSaga())) return;
      trouble.replaceChildren(problemBox(problem));
    } finally {
      busy = false;
    }
  }

  /** In an app without orders, or for an order of another saga, the id is that of a saga. */
  async function leadsToSaga() {
    const saga = await get(`sagas/${part(id)}`, { timeline: "false" }, leave.signal).catch(() => null);
    if (saga) location.replace(sagaAddress(saga.sagaId));
    return saga !== null;
  }

  function show() {
    label.hidden = false;
    const stuck = found.sagas.some((saga) => saga.status === "NEEDS_ATTENTION");
    label.show(stuck ? "NEEDS_ATTENTION" : found.status);
    keyed(facts, factsOf(found), ([name]) => name, fact);
    waits.hidden = found.sagas.length > 0;
    keyed(sagas, found.sagas, (saga) => saga.sagaId, (saga) => sagaSection(saga, load));
    for (const section of sagas.children) section.tell(details.get(section.dataset.key));
  }

  const onSnapshot = () => {
    const over = found?.sagas.length && found.sagas.every((saga) => ENDED.includes(saga.status));
    if (!over) load();
  };
  live.addEventListener("snapshot", onSnapshot);
  load();
  const stop = everySecond(() => [...sagas.children].forEach((section) => section.tick()));
  return () => {
    stop();
    leave.abort();
    live.removeEventListener("snapshot", onSnapshot);
  };
}

function fact([name]) {
  const value = el("dd");
  const node = el("div", { class: WIDE.includes(name) ? "wide" : null }, el("dt", {}, name), value);
  node.update = ([, text, title]) => {
    setText(value, text);
    if (title) value.title = title;
  };
  return node;
}

function factsOf(order) {
  const { payment, reservation, notification } = order;
  const facts = [
    ["Customer", order.customerId],
    ["Amount", order.amountText],
    ["Lines", order.lines.map((line) => `${count(line.quantity)} × ${line.sku}`).join(", ")],
    ["Created", moment(order.createdAt), fullMoment(order.createdAt)],
    ["Payment", payment && `${words(payment.status)}${times(payment)}${problem(payment)}`],
    ["Stock", reservation && `${words(reservation.status)} in ${reservation.warehouse}`],
    ["Customer told", notification && `${words(notification.status)}, of ${words(notification.about)}`],
    ["Reason", order.reason],
  ];
  return facts.filter(([, text]) => text);
}

/** The error of the last call to the provider, while further attempts are possible. */
function problem({ status, reason }) {
  return status === "PENDING" && reason ? `: ${reason}` : "";
}

/** A count that is shown only if it is not one. */
function times({ charges, refunds }) {
  const parts = [];
  if (charges > 1) parts.push(`charged ${charges} times`);
  if (refunds > 1) parts.push(`refunded ${refunds} times`);
  return parts.length ? `, ${parts.join(", ")}` : "";
}
