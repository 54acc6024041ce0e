// Links to views.

import { part } from "./api.js";
import { el } from "./dom.js";

/** The address of an order's own view. */
export const orderAddress = (orderId) => `#/orders/${part(orderId)}`;

/** A link to it. */
export const orderLink = (orderId) => el("a", { class: "id", href: orderAddress(orderId) }, orderId);
