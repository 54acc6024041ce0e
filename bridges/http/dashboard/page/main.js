// The page: routes to views, and shows the state of the live connection.

import { actionLog } from "./action-log.js";
import { token } from "./api.js";
import { deadLetters } from "./dead-letters.js";
import { definitions } from "./definitions.js";
import { everySecond } from "./clock.js";
import { el, heading, setAttribute, setText } from "./dom.js";
import { moment } from "./format.js";
import { history } from "./history.js";
import { listenToKeys } from "./keyboard.js";
import * as letters from "./letters.js";
import { live } from "./live.js";
import { order } from "./order.js";
import { orders } from "./orders.js";
import { overview } from "./overview.js";
import { route } from "./route.js";
import { sagaPage } from "./saga-page.js";
import { caller } from "./caller.js";
import { switchTheme } from "./theme.js";
import { askToken } from "./token.js";

const main = document.getElementById("main");
const byId = (id) => document.getElementById(id);

let leave = () => {};
let first = true;

function show() {
  leave();
  const { view, id, parameters } = route();
  const [name, title, open] = views(view, id);
  document.title = `${title} · order-sagas`;
  for (const link of document.querySelectorAll("nav a")) {
    setAttribute(link, "aria-current", link.dataset.view === name ? "page" : null);
  }
  leave = open(main, { id, parameters }) ?? (() => {});
  // A new view moves the focus to its heading; a changed filter keeps the focus in the input.
  const shown = `${name}/${id}`;
  if (!first && shown !== show.last) main.querySelector("h1")?.focus({ preventScroll: true });
  if (shown !== show.last) scrollTo(0, 0);
  show.last = shown;
  first = false;
}

function views(view, id) {
  if (view === "") return ["overview", "Overview", overview];
  if (view === "orders" && id) return ["orders", `Order ${id}`, order];
  if (view === "orders") return ["orders", "Orders", orders];
  if (view === "sagas" && id) return ["orders", `Saga ${id}`, sagaPage];
  if (view === "definitions") return ["definitions", "Definitions", definitions];
  if (view === "history") return ["history", "History", history];
  if (view === "actions") return ["actions", "Actions", actionLog];
  if (view === "dead-letters") return ["dead-letters", "Dead letters", deadLetters];
  return ["", "Nothing here", nothing];
}

function nothing(main) {
  main.replaceChildren(
    el("div", { class: "page" }, heading(1, "Page not found"),
      el("p", {}, "There is no view at this address. ", el("a", { href: "#/" }, "Go to the overview"), ".")),
  );
}

let kind = null;

/** In an app without orders, the list of sagas replaces the list of orders. */
function showKind(ordersSaga) {
  if (kind === ordersSaga) return;
  const isLate = kind === null && ordersSaga === "";
  kind = ordersSaga;
  setText(document.querySelector("nav [data-view=orders]"), kind ? "Orders" : "Sagas");
  if (isLate && route().view === "orders" && !route().id) show();
}

function again() {
  live.connect();
  caller.ask();
  letters.refresh();
  show();
}

// --- live or not ------------------------------------------------------------------------------

const TEXTS = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Not live",
  away: "Not live",
  refused: "Refused",
};

let lost = 0;

function showState() {
  const { state } = live;
  lost = state === "live" || state === "connecting" ? 0 : lost || Date.now();
  byId("live").dataset.state = state;
  setText(byId("live-text"), TEXTS[state]);
  document.body.toggleAttribute("data-old", Boolean(lost) && live.snapshot !== null);
  if (state === "refused" && live.problem.status === 401) {
    // Only for a token that was sent, the problem explains why it was refused.
    askToken(
      again,
      "This server requires a token. It is kept in this tab only, until the tab is closed.",
      token.get() ? live.problem : null,
    );
  }
  tick();
}

function tick() {
  setText(byId("live-time"), live.snapshot ? moment(live.snapshot.at) : "");
  const banner = byId("banner");
  banner.hidden = !lost;
  if (!lost) return;
  const { state, problem } = live;
  const since = live.snapshot ? `Not live since ${moment(live.snapshot.at)}.` : "Not live.";
  const left = Math.max(0, Math.ceil((live.nextAt - Date.now()) / 1000));
  const texts = {
    refused: [problem?.title ?? "", problem?.detail ?? ""],
    away: [since, "The database is unavailable. The figures continue when it is available again."],
    waiting: [
      since,
      `${problem ? `${problem.title}: ${problem.detail}. ` : "The server does not answer. "}` +
        (left ? `Connecting again in ${left} s.` : "Connecting again."),
    ],
  };
  const [title, text] = texts[state] ?? [since, ""];
  setText(byId("banner-title"), title);
  setText(byId("banner-text"), text);
  setText(byId("banner-button"), state === "refused" ? "Enter a token" : "Connect now");
}

byId("banner-button").addEventListener("click", () => {
  if (live.state === "refused") askToken(again);
  else live.connect();
});
byId("token").addEventListener("click", () => askToken(again));
switchTheme(byId("theme"));

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", show);
addEventListener("online", () => live.connect());
live.addEventListener("state", showState);
live.addEventListener("snapshot", () => {
  showKind(live.snapshot.ordersSaga);
  setText(byId("live-time"), moment(live.snapshot.at));
});
listenToKeys(main, byId("keys"));
everySecond(tick);
show();
live.connect();
caller.ask();
letters.refresh();
