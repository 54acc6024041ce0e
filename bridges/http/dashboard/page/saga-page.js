// The view of one saga, with or without an order.

import { get, part } from "./api.js";
import { everySecond } from "./clock.js";
import { el, heading, setText } from "./dom.js";
import { statusLabel } from "./labels.js";
import { orderAddress } from "./links.js";
import { live } from "./live.js";
import { problemBox } from "./problem.js";
import { detailsOf } from "./saga-details.js";
import { sagaSection } from "./saga.js";

const ENDED = ["COMPLETED", "CANCELLED"];

/** Show a saga in `main`. Returns a function that closes the view. */
export function sagaPage(main, { id }) {
  const label = statusLabel("");
  const trouble = el("div");
  const place = el("div");
  const order = el("a", { href: "#/orders" }, "Orders");
  label.hidden = true;
  main.replaceChildren(
    el("div", { class: "page" },
      el("p", { class: "back" }, order),
      el("div", { class: "title" }, heading(1, "Saga ", el("code", {}, id)), label),
      trouble, place));

  const leave = new AbortController();
  const details = detailsOf();
  let saga = null;
  let section = null;
  let busy = false;

  async function load() {
    if (busy) return;
    busy = true;
    try {
      saga = await get(`sagas/${part(id)}`, { timeline: "false" }, leave.signal);
      trouble.replaceChildren();
      show();
      section.tell(await details.load(saga, leave.signal));
    } catch (problem) {
      if (problem.name !== "AbortError") trouble.replaceChildren(problemBox(problem));
    } finally {
      busy = false;
    }
  }

  function show() {
    label.hidden = false;
    label.show(saga.status);
    const hasOrders = live.snapshot?.ordersSaga !== "";
    order.href = hasOrders ? orderAddress(saga.orderId) : "#/orders";
    setText(order, hasOrders ? `Order ${saga.orderId}` : "Sagas");
    if (!section) place.replaceChildren((section = sagaSection(saga, load)));
    section.update(saga);
  }

  const onSnapshot = () => {
    if (!saga || !ENDED.includes(saga.status)) load();
  };
  live.addEventListener("snapshot", onSnapshot);
  load();
  const stop = everySecond(() => section?.tick());
  return () => {
    stop();
    leave.abort();
    live.removeEventListener("snapshot", onSnapshot);
  };
}
