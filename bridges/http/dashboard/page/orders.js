// The list of orders, filtered by id prefix and status, with pages.

import { chosenSagasButton } from "./actions.js";
import { get } from "./api.js";
import { el, heading, keyed, setText } from "./dom.js";
import { exportButtons } from "./exports.js";
import { fullMoment, moment, words } from "./format.js";
import { statusLabel } from "./labels.js";
import { orderAddress, orderLink } from "./links.js";
import { live } from "./live.js";
import { problemBox } from "./problem.js";
import { filters } from "./route.js";
import { ofSagas, searched, searchForm } from "./search-form.js";
import { selection } from "./selection.js";

const PAGE = 50;
/** Minimum milliseconds between two requests for the first page. */
const PAUSE = 2000;
const TYPING = 250;

const ORDERS = ["SUBMITTED", "CREATED", "ROLLED_BACK", "COMPLETED", "CANCELLED"];
const SAGAS = ["RUNNING", "COMPENSATING", "NEEDS_ATTENTION"];

/** Show the list in `main`. Returns a function that closes the view. */
export function orders(main, { parameters }) {
  const prefix = el("input", {
    type: "search", id: "prefix", placeholder: "A-1042", autocomplete: "off", spellcheck: "false", maxlength: 200,
  });
  const status = el(
    "select",
    { id: "status" },
    el("option", { value: "" }, "any status"),
    el("optgroup", { label: "Orders" }, ORDERS.map((each) => el("option", { value: each }, words(each)))),
    el("optgroup", { label: "Sagas in flight" }, SAGAS.map((each) => el("option", { value: `saga:${each}` }, words(each)))),
  );
  const body = el("tbody");
  const trouble = el("div");
  const none = el("p", { class: "empty", hidden: true }, "No order is like that.");
  const back = el("p", { class: "hint", hidden: true });
  const saga = parameters.get("saga") ?? "";
  const looksFor = saga ? ofSagas(searched(parameters)) : searched(parameters);
  const tell = (problem) => trouble.replaceChildren(...problem);
  const chosen = selection((ids) => ["resume", "cancel"].map((action) =>
    chosenSagasButton(action, ids, tell, () => { chosen.clear(); load(); })));
  const newest = el("a", { hidden: true }, "Newest");
  const older = el("a", { hidden: true }, "Older orders");
  main.replaceChildren(
    el("section", { class: "page" },
      el("div", { class: "title" }, heading(1, "Orders"), el("p", { class: "muted" }, "The newest first.")),
      el("form", { class: "filters", role: "search", onsubmit: open },
        el("label", { for: "prefix" }, "Id begins with"), prefix,
        el("label", { for: "status" }, "Status"), status,
        el("button", { type: "submit" }, "Open this order"),
        exportButtons(saga ? "sagas" : "orders", asked)),
      searchForm(parameters, search),
      trouble, chosen.node,
      el("table", { class: "orders" },
        el("thead", {}, el("tr", {},
          ["Order", "Status", "Step or reason", "Customer", "Amount", "Created"].map((name) =>
            el("th", { scope: "col", class: name === "Amount" ? "end" : null }, name)))),
        body),
      none, back,
      el("p", { class: "more" }, newest, older)),
  );

  const after = parameters.get("after") ?? "";
  prefix.value = parameters.get("prefix") ?? "";
  status.value = saga ? `saga:${saga}` : (parameters.get("status") ?? "");
  const leave = new AbortController();
  let typing = 0;
  let looked = 0;
  let wanted = { prefix: prefix.value, after };

  function change() {
    const value = status.value;
    const of = value.startsWith("saga:") ? { saga: value.slice(5) } : { status: value };
    filters("orders", { prefix: of.saga ? "" : prefix.value, ...of, ...searched(parameters) });
  }
  function search(fields) {
    filters("orders", { saga, status: saga ? "" : status.value, prefix: prefix.value, ...fields });
  }
  /** What the list asks for, without its page. */
  function asked() {
    return saga
      ? { status: saga, ...looksFor }
      : { status: status.value, prefix: wanted.prefix, ...looksFor };
  }
  function open(event) {
    event.preventDefault();
    const id = prefix.value.trim();
    if (id) location.hash = orderAddress(id);
  }
  prefix.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      if (status.value.startsWith("saga:")) status.value = "";
      // Typing keeps the view: only the list and the address change.
      wanted = { prefix: prefix.value, after: "" };
      const query = new URLSearchParams(
        Object.entries({ prefix: prefix.value, status: status.value, ...looksFor }).filter(([, value]) => value),
      ).toString();
      history.replaceState(null, "", `#/orders${query ? `?${query}` : ""}`);
      load();
    }, TYPING);
  });
  status.addEventListener("change", change);

  async function load() {
    looked = Date.now();
    const now = wanted;
    try {
      const page = await fetchPage(saga && status.value ? saga : "", now);
      if (now !== wanted) return;
      trouble.replaceChildren();
      keyed(body, page.rows, (order) => `${order.sagaId ?? ""} ${order.orderId}`, (order) => orderRow(order, chosen));
      chosen.shown(body);
      none.hidden = page.rows.length > 0;
      const searching = Object.keys(looksFor).length > 0;
      setText(none, searching || status.value || prefix.value ? "No order is like that." : "There are no orders yet.");
      back.hidden = !(searching && page.next && page.searchedBackTo);
      setText(back, `Searched back to ${moment(page.searchedBackTo)}; older orders are searched on the next page.`);
      newest.hidden = !now.after;
      newest.href = link({ after: "" });
      older.hidden = !page.next;
      older.href = link({ after: page.next ?? "" });
    } catch (problem) {
      if (problem.name !== "AbortError" && now === wanted) trouble.replaceChildren(problemBox(problem));
    }
  }

  async function fetchPage(inFlight, page) {
    const many = { limit: PAGE, after: page.after };
    if (inFlight) {
      const found = await get("sagas", { ...asked(), ...many }, leave.signal);
      const rows = found.sagas.map((each) => ({ ...each, sagaStatus: each.status, createdAt: each.startedAt }));
      return { ...found, rows };
    }
    const found = await get("orders", { ...asked(), prefix: page.prefix, ...many }, leave.signal);
    return { ...found, rows: found.orders };
  }

  function link(more) {
    const all = { status: saga ? "" : status.value, saga, prefix: prefix.value, ...searched(parameters), ...more };
    const query = new URLSearchParams(Object.entries(all).filter(([, value]) => value)).toString();
    return `#/orders${query ? `?${query}` : ""}`;
  }

  const onSnapshot = () => {
    if (!wanted.after && Date.now() - looked >= PAUSE) load();
  };
  live.addEventListener("snapshot", onSnapshot);
  load();
  return () => {
    clearTimeout(typing);
    leave.abort();
    live.removeEventListener("snapshot", onSnapshot);
  };
}

function orderRow(order, chosen) {
  const label = statusLabel(order.status);
  const waits = el("td");
  const customer = el("td", { "data-label": "Customer", class: "clip" });
  const amount = el("td", { "data-label": "Amount", class: "num end" });
  const created = el("td", { "data-label": "Created", class: "num" });
  const row = el("tr", {},
    // Only a list of sagas in flight has ids of sagas.
    el("td", {}, order.sagaId && !order.endedAt ? [chosen.box(order.sagaId, `Choose ${order.orderId}`), " "] : null, orderLink(order.orderId)),
    el("td", {}, label), waits, customer, amount, created);
  row.update = (now) => {
    const inFlight = now.sagaStatus && !["COMPLETED", "CANCELLED"].includes(now.sagaStatus);
    label.show(inFlight ? now.sagaStatus : now.status);
    setText(waits, now.step || now.reason || "");
    setText(customer, now.customerId ?? "");
    setText(amount, now.amountText ?? "");
    setText(created, moment(now.createdAt));
    created.title = fullMoment(now.createdAt);
  };
  return row;
}
