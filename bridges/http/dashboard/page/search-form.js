// The search for orders or sagas: the fields of the filter, which are stored in the address.

import { el } from "./dom.js";

const FIELDS = [
  ["definition", "Saga", "place-order"],
  ["customer", "Customer"], ["sku", "SKU"], ["amountFrom", "Amount from", "EUR 10.00"], ["amountTo", "Amount to", "EUR 99.50"],
  ["code", "Failure code"], ["reason", "Reason has"], ["step", "Waits for step"], ["cause", "Stuck because"], ["version", "Definition version"],
  ["startedFrom", "Begun from", "2026-11-27"], ["startedTo", "Begun before", "2026-11-28"],
  ["endedFrom", "Ended from"], ["endedTo", "Ended before"],
];
/** Fields of the order of a saga. */
const OF_ORDERS = ["customer", "sku", "amountFrom", "amountTo"];

const OF_SAGAS = ["definition", "cause"];

/** Parameters of the list that have controls outside of this form. */
const OTHERS = ["saga", "status", "prefix", "after"];

/** The other parameters in the address; the API reports unknown ones. */
export function searched(parameters) {
  return Object.fromEntries([...parameters].filter(([name, value]) => value && !OTHERS.includes(name)));
}

/** A form of the fields, open if one has a value; `search(fields)` is called when it is submitted. */
export function searchForm(parameters, { ofSagas, hasOrders }, search) {
  const given = searched(parameters);
  const fields = FIELDS.filter(([name]) => (ofSagas || !OF_SAGAS.includes(name)) && (hasOrders || !OF_ORDERS.includes(name)));
  const form = el("form", { class: "search", role: "search", "aria-label": "Search", onsubmit(event) {
    event.preventDefault();
    search(Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()])));
  } },
    fields.map(([name, label, example]) =>
      el("div", {},
        el("label", { for: `search-${name}` }, label),
        el("input", {
          id: `search-${name}`, name, value: given[name] ?? "", placeholder: example ?? null, maxlength: 200,
          autocomplete: "off", spellcheck: "false",
        }))),
    el("span", { class: "buttons" },
      el("button", { type: "button", onclick: () => search({}) }, "Clear"),
      el("button", { type: "submit", class: "primary" }, "Search")));
  return el("details", { class: "more-filters", open: Object.keys(given).length > 0 }, el("summary", {}, "Search by content"), form);
}
