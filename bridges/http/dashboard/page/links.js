// Links to views.

import { part } from "./api.js";
import { el } from "./dom.js";
import { words } from "./format.js";
import { live } from "./live.js";

/** The address of the view of an order. */
export const orderAddress = (orderId) => `#/orders/${part(orderId)}`;

/** A link to the view of the order of a saga in a list; to that of the saga, if it has none. */
export function ofOrder({ orderId, saga, sagaId }) {
  const isOrder = !sagaId || live.snapshot?.ordersSaga === saga;
  return el("a", { class: "id", href: isOrder ? orderAddress(orderId) : sagaAddress(sagaId) }, orderId);
}

/** The address of the view of a saga. */
export const sagaAddress = (sagaId) => `#/sagas/${part(sagaId)}`;

/** A link to the view of a saga, and its status, if it is known. */
export const sagaLink = ({ sagaId, status }) =>
  el("span", {}, el("a", { class: "id", href: sagaAddress(sagaId) }, sagaId), status ? ` (${words(status)})` : "");
