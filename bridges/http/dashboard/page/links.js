// Links to views.

import { part } from "./api.js";
import { el } from "./dom.js";

/** The address of the view of an order. */
export const orderAddress = (orderId) => `#/orders/${part(orderId)}`;

/** A link to the view of an order. */
export const orderLink = (orderId) => el("a", { class: "id", href: orderAddress(orderId) }, orderId);
