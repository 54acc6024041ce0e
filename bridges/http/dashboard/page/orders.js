// The list of orders, or of sagas: filtered by id prefix, status and content, with pages.

import { chosenSagasButton } from "./actions.js";
import { get } from "./api.js";
import { el, heading, keyed, setText } from "./dom.js";
import { exportButtons } from "./exports.js";
import { fullMoment, moment, words } from "./format.js";
import { statusLabel } from "./labels.js";
import { ofOrder, orderAddress } from "./links.js";
import { live } from "./live.js";
import { problemBox } from "./problem.js";
import { filters } from "./route.js";
import { searched, searchForm } from "./search-form.js";
import { selection } from "./selection.js";

const PAGE = 50;
/** Minimum milliseconds between two requests for the first page. */
const PAUSE = 2000;
const TYPING = 250;

const ORDERS = ["SUBMITTED", "CREATED", "ROLLED_BACK", "COMPLETED", "CANCELLED"];
const IN_FLIGHT = ["RUNNING", "COMPENSATING", "NEEDS_ATTENTION"];
const SAGAS = [...IN_FLIGHT, "COMPLETED", "CANCELLED"];
/** In the address in place of a status: sagas of any status. */
const ANY = "ANY";

/** Show the list in `main`. Returns a function that closes the view. */
export function orders(main, { parameters }) {
  const hasOrders = live.snapshot?.ordersSaga !== "";
  const given = parameters.get("status") ?? "";
  const saga = parameters.get("saga") || (IN_FLIGHT.includes(given) ? given : hasOrders ? "" : ANY);
  const noun = saga ? "saga" : "order";
  const prefix = el("input", {
    type: "search", id: "prefix", placeholder: "A-1042", autocomplete: "off", spellcheck: "false", maxlength: 200,
  });
  const status = el("select", { id: "status" },
    hasOrders ? el("option", { value: "" }, "any status") : null,
    hasOrders ? el("optgroup", { label: "Orders" }, ORDERS.map((each) => el("option", { value: each }, words(each)))) : null,
    el("optgroup", { label: "Sagas" },
      el("option", { value: `saga:${ANY}` }, hasOrders ? "any saga" : "any status"),
      SAGAS.map((each) => el("option", { value: `saga:${each}` }, words(each)))),
  );
  const body = el("tbody");
  const trouble = el("div");
  const none = el("p", { class: "empty", hidden: true });
  const back = el("p", { class: "hint", hidden: true });
  const fields = searched(parameters);
  const tell = (problem) => trouble.replaceChildren(...problem);
  const chosen = selection("All on this page", (ids) => ["resume", "cancel"].map((action) =>
    chosenSagasButton(action, ids, tell, () => { chosen.clear(); load(); })));
  const newest = el("a", { hidden: true }, "Newest");
  const older = el("a", { hidden: true }, `Older ${noun}s`);
  const columns = [
    "Order", saga && "Saga", "Status", "Step or reason", hasOrders && "Customer", hasOrders && "Amount", saga ? "Begun" : "Created",
  ].filter(Boolean);
  main.replaceChildren(
    el("section", { class: "page" },
      el("div", { class: "title" }, heading(1, saga ? "Sagas" : "Orders"), el("p", { class: "muted" }, "Newest first.")),
      el("form", { class: "filters", role: "search", onsubmit: open },
        el("span", {}, el("label", { for: "prefix" }, "Id begins with"), " ", prefix),
        el("span", {}, el("label", { for: "status" }, "Status"), " ", status),
        el("button", { type: "submit" }, hasOrders ? "Open this order" : "Open this saga"),
        exportButtons(saga ? "sagas" : "orders", asked)),
      searchForm(parameters, { ofSagas: saga, hasOrders }, search),
      trouble, chosen.node,
      el("table", { class: "orders" },
        el("thead", {}, el("tr", {},
          el("th", { scope: "col", class: "pick" }, el("span", { class: "hidden" }, "Choose")),
          columns.map((name) => el("th", { scope: "col", class: name === "Amount" ? "end" : null }, name)))),
        body),
      none, back,
      el("p", { class: "more" }, newest, older)),
  );

  const after = parameters.get("after") ?? "";
  prefix.value = parameters.get("prefix") ?? "";
  status.value = saga ? `saga:${saga}` : given;
  const leave = new AbortController();
  let typing = 0;
  let looked = 0;
  let wanted = { prefix: prefix.value, after };

  function addressed(more = {}) {
    const value = status.value;
    const of = value.startsWith("saga:") ? { saga: value.slice(5) } : { status: value };
    return { ...of, prefix: prefix.value, ...fields, ...more };
  }
  /** The parameters of the list, without its page. */
  function asked() {
    const { definition, ...others } = fields;
    const of = saga ? { status: saga === ANY ? "" : saga, saga: definition } : { status: status.value || given, definition };
    return { ...of, prefix: wanted.prefix, ...others };
  }
  function search(given) {
    const empty = Object.fromEntries(Object.keys(fields).map((name) => [name, ""]));
    filters("orders", addressed({ ...empty, ...given }));
  }
  function open(event) {
    event.preventDefault();
    const id = prefix.value.trim();
    if (id) location.hash = orderAddress(id);
  }
  prefix.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      // Typing keeps the view: only the list and the address change.
      wanted = { prefix: prefix.value, after: "" };
      history.replaceState(null, "", link());
      load();
    }, TYPING);
  });
  status.addEventListener("change", () => filters("orders", addressed()));

  async function load() {
    looked = Date.now();
    const now = wanted;
    try {
      const page = await get(saga ? "sagas" : "orders", { ...asked(), limit: PAGE, after: now.after }, leave.signal);
      if (now !== wanted) return;
      trouble.replaceChildren();
      const rows = saga ? page.sagas : page.orders;
      keyed(body, rows, (row) => `${row.sagaId ?? ""} ${row.orderId}`, () => listRow(chosen, { ofSagas: saga, hasOrders }));
      chosen.shown(body);
      none.hidden = rows.length > 0;
      const searching = Object.keys(fields).length > 0;
      const isFiltered = searching || (status.value && saga !== ANY) || prefix.value;
      setText(none, isFiltered ? `No ${noun} matches.` : `There are no ${noun}s yet.`);
      back.hidden = !((searching || saga) && page.next && page.searchedBackTo);
      setText(back, `Searched back to ${moment(page.searchedBackTo)}; older ${noun}s are searched on the next page.`);
      newest.hidden = !now.after;
      newest.href = link();
      older.hidden = !page.next;
      older.href = link({ after: page.next ?? "" });
    } catch (problem) {
      if (problem.name !== "AbortError" && now === wanted) trouble.replaceChildren(problemBox(problem));
    }
  }

  function link(more = {}) {
    const all = Object.entries(addressed(more)).filter(([, value]) => value);
    return `#/orders${all.length ? `?${new URLSearchParams(all)}` : ""}`;
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

/** The id of the saga of a row, if an operator can act on it. */
function sagaInFlight({ sagaId, orderId, status, sagaStatus }) {
  if (sagaId) return IN_FLIGHT.includes(status) ? sagaId : "";
  const name = live.snapshot?.ordersSaga;
  return name && IN_FLIGHT.includes(sagaStatus) ? `${name}/${orderId}` : "";
}

function listRow(chosen, { ofSagas, hasOrders }) {
  const pick = el("td", { class: "pick" });
  const name = el("td", { class: "name" });
  const label = statusLabel("");
  const saga = el("td", { "data-label": "Saga" });
  const waits = el("td", { class: "reason" });
  const customer = el("td", { "data-label": "Customer", class: "clip" });
  const amount = el("td", { "data-label": "Amount", class: "num end" });
  const created = el("td", { "data-label": ofSagas ? "Begun" : "Created", class: "num" });
  const row = el("tr", {}, pick, name, ofSagas ? saga : null, el("td", {}, label), waits, ...(hasOrders ? [customer, amount] : []), created);
  let link = null;
  let shown = "";
  row.update = (now) => {
    if (!link) {
      link = ofOrder(now);
      name.append(link);
    }
    const inFlight = sagaInFlight(now);
    if (inFlight !== shown) {
      shown = inFlight;
      pick.replaceChildren(...(shown ? [chosen.box(shown, `Choose ${now.orderId}`)] : []));
    }
    const at = now.createdAt ?? now.startedAt;
    label.show(IN_FLIGHT.includes(now.sagaStatus) ? now.sagaStatus : now.status);
    setText(saga, `${now.saga} ${now.version}`);
    const place = now.step && now.code && ofSagas ? `undo of ${now.step}` : now.step;
    setText(waits, (now.cause ? `${place}: ${now.cause}` : place) || now.reason || "");
    setText(customer, now.customerId ?? "");
    customer.title = now.customerId ?? "";
    setText(amount, now.amountText ?? "");
    setText(created, moment(at));
    created.title = fullMoment(at);
  };
  return row;
}
