// What orders are looked for: the fields of the filter, in the address.

import { el } from "./dom.js";

const FIELDS = [
  ["customer", "Customer"], ["sku", "SKU"], ["amountFrom", "Amount from", "EUR 10.00"], ["amountTo", "Amount to", "EUR 99.50"],
  ["code", "Failure code"], ["reason", "Reason has"], ["step", "Waits for step"], ["version", "Definition version"],
  ["startedFrom", "Begun from", "2026-11-27"], ["startedTo", "Begun before", "2026-11-28"],
  ["endedFrom", "Ended from"], ["endedTo", "Ended before"],
];
/** Fields that a saga has no more than its order. */
const OF_ORDERS = ["customer", "sku", "amountFrom", "amountTo"];
const NAMES = FIELDS.map(([name]) => name);

/** The fields that have a value in the parameters of the address. */
export function searched(parameters) {
  return Object.fromEntries(NAMES.map((name) => [name, parameters.get(name) ?? ""]).filter(([, value]) => value));
}

/** Without the fields that only orders have. */
export function ofSagas(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !OF_ORDERS.includes(name)));
}

/** A form of the fields, open if one has a value; `search(fields)` is called when it is sent. */
export function searchForm(parameters, search) {
  const given = searched(parameters);
  const form = el("form", { class: "search", role: "search", "aria-label": "Search", onsubmit(event) {
    event.preventDefault();
    search(Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()])));
  } },
    FIELDS.map(([name, label, example]) =>
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
