// The list of orders, filtered by id prefix and status, with pages.

import { get } from "./api.js";
import { el, heading, keyed, setText } from "./dom.js";
import { fullMoment, moment, words } from "./format.js";
import { statusLabel } from "./labels.js";
import { orderAddress, orderLink } from "./links.js";
import { live } from "./live.js";
import { problemBox } from "./problem.js";
import { filters } from "./route.js";

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
  const newest = el("a", { hidden: true }, "Newest");
  const older = el("a", { hidden: true }, "Older orders");
  main.replaceChildren(
    el("section", { class: "page" },
      el("div", { class: "title" }, heading(1, "Orders"), el("p", { class: "muted" }, "The newest first.")),
      el("form", { class: "filters", role: "search", onsubmit: open },
        el("label", { for: "prefix" }, "Id begins with"), prefix,
        el("label", { for: "status" }, "Status"), status,
        el("button", { type: "submit" }, "Open this order")),
      trouble,
      el("table", { class: "orders" },
        el("thead", {}, el("tr", {},
          ["Order", "Status", "Step or reason", "Customer", "Amount", "Created"].map((name) =>
            el("th", { scope: "col", class: name === "Amount" ? "end" : null }, name)))),
        body),
      none,
      el("p", { class: "more" }, newest, older)),
  );

  const saga = parameters.get("saga") ?? "";
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
    filters("orders", { prefix: of.saga ? "" : prefix.value, ...of });
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
        Object.entries({ prefix: prefix.value, status: status.value }).filter(([, value]) => value),
      ).toString();
      history.replaceState(null, "", `#/orders${query ? `?${query}` : ""}`);
      load();
    }, TYPING);
  });
  status.addEventListener("change", change);

  async function load() {
    looked = Date.now();
    const asked = wanted;
    try {
      const page = await fetchPage(saga && status.value ? saga : "", asked);
      if (asked !== wanted) return;
      trouble.replaceChildren();
      keyed(body, page.rows, (order) => `${order.sagaId ?? ""} ${order.orderId}`, orderRow);
      none.hidden = page.rows.length > 0;
      newest.hidden = !asked.after;
      newest.href = link({ after: "" });
      older.hidden = !page.next;
      older.href = link({ after: page.next ?? "" });
    } catch (problem) {
      if (problem.name !== "AbortError" && asked === wanted) trouble.replaceChildren(problemBox(problem));
    }
  }

  async function fetchPage(ofSagas, asked) {
    const many = { limit: PAGE, after: asked.after };
    if (ofSagas) {
      const page = await get("sagas", { status: ofSagas, ...many }, leave.signal);
      const rows = page.sagas.map((each) => ({ ...each, sagaStatus: each.status, createdAt: each.startedAt }));
      return { rows, next: page.next };
    }
    const page = await get("orders", { status: status.value, prefix: asked.prefix, ...many }, leave.signal);
    return { rows: page.orders, next: page.next };
  }

  function link(more) {
    const all = { status: saga ? "" : status.value, saga, prefix: prefix.value, ...more };
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

function orderRow(order) {
  const label = statusLabel(order.status);
  const waits = el("td");
  const customer = el("td", { "data-label": "Customer", class: "clip" });
  const amount = el("td", { "data-label": "Amount", class: "num end" });
  const created = el("td", { "data-label": "Created", class: "num" });
  const row = el("tr", {}, el("td", {}, orderLink(order.orderId)), el("td", {}, label), waits, customer, amount, created);
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
