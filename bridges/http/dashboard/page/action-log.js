// The log of operators' actions: who requested what, when, why, and with what outcome.

import { approvalButton } from "./actions.js";
import { get } from "./api.js";
import { el, heading, keyed, setText } from "./dom.js";
import { exportButtons } from "./exports.js";
import { fullMoment, moment, words } from "./format.js";
import { statusLabel } from "./labels.js";
import { sagaAddress } from "./links.js";
import { live } from "./live.js";
import { problemBox } from "./problem.js";
import { filters } from "./route.js";

const PAGE = 50;
const PAUSE = 2000;
const OUTCOMES = ["asked", "done", "refused", "pending", "rejected", "expired"];
const KINDS = { asked: "going", done: "done", refused: "stuck", pending: "back", rejected: "ended", expired: "ended" };
const TEXTS = [["by", "Operator"], ["target", "Saga, letter or service"]];

/** Show the view in `main`. Returns a function that closes it. */
export function actionLog(main, { parameters }) {
  const body = el("tbody");
  const trouble = el("div");
  const none = el("p", { class: "empty", hidden: true });
  const next = el("a", { hidden: true }, "Older actions");
  const texts = TEXTS.map(([name, label]) => [
    el("label", { for: `log-${name}` }, label),
    el("input", { type: "search", id: `log-${name}`, name, autocomplete: "off", maxlength: 500, value: parameters.get(name) ?? "" }),
  ]);
  const outcome = el("select", { id: "log-outcome", name: "outcome" },
    el("option", { value: "" }, "any outcome"), OUTCOMES.map((each) => el("option", { value: each }, words(each))));
  outcome.value = parameters.get("outcome") ?? "";
  const request = parameters.get("request") ?? "";
  const form = el("form", { class: "filters", role: "search", onsubmit: (event) => { event.preventDefault(); change(); } },
    texts.flat(), el("label", { for: "log-outcome" }, "Outcome"), outcome,
    el("button", { type: "submit" }, "Show"),
    exportButtons("operator-actions", asked));
  outcome.addEventListener("change", change);
  main.replaceChildren(
    el("section", { class: "page" },
      el("div", { class: "title" }, heading(1, "Actions"),
        el("p", { class: "muted" }, request ? "Of one request. " : "Requests of operators, newest first.",
          request ? el("a", { href: "#/actions" }, "Show all") : null)),
      form, trouble,
      el("table", { class: "log" },
        el("thead", {}, el("tr", {}, ["When", "Who", "Action", "On", "Outcome", "Reason"].map((name) => el("th", { scope: "col" }, name)))),
        body),
      none, el("p", { class: "more" }, next)),
  );
  const leave = new AbortController();
  let looked = 0;

  function change() {
    filters("actions", Object.fromEntries([...new FormData(form), ["request", request]]));
  }
  function asked() {
    const names = ["by", "target", "outcome", "request"];
    return Object.fromEntries(names.map((name) => [name, parameters.get(name) ?? ""]));
  }
  async function load() {
    looked = Date.now();
    try {
      const page = await get("operator-actions", { ...asked(), after: parameters.get("after") ?? "", limit: PAGE }, leave.signal);
      trouble.replaceChildren();
      keyed(body, page.actions, (action) => action.number, (action) => actionRow(action, load));
      none.hidden = page.actions.length > 0;
      setText(none, Object.values(asked()).some(Boolean) ? "No action matches." : "There are no actions yet.");
      next.hidden = !page.next;
      const kept = Object.entries({ ...asked(), after: page.next ?? "" }).filter(([, value]) => value);
      next.href = `#/actions?${new URLSearchParams(kept)}`;
    } catch (problem) {
      if (problem.name !== "AbortError") trouble.replaceChildren(problemBox(problem));
    }
  }
  const onSnapshot = () => {
    if (!parameters.get("after") && Date.now() - looked >= PAUSE) load();
  };
  live.addEventListener("snapshot", onSnapshot);
  load();
  return () => {
    leave.abort();
    live.removeEventListener("snapshot", onSnapshot);
  };
}

function actionRow(action, done) {
  const label = el("span", { class: "status" });
  const detail = el("p", { class: "why" });
  const present = statusLabel("");
  const status = el("span", { class: "muted" }, ", now ", present);
  const buttons = el("span", { class: "buttons" });
  const when = el("td", { class: "num", title: fullMoment(action.at) }, moment(action.at));
  const row = el("tr", {}, when,
    el("td", { "data-label": "Who" }, action.by, " ", el("span", { class: "muted" }, `(${action.via})`)),
    el("td", { class: action.step ? null : "verb" }, action.step ? `${action.action} ${action.step}` : action.action),
    el("td", {}, target(action)),
    el("td", {}, label, status, detail, buttons),
    el("td", { "data-label": "Reason" }, action.why));
  let shown = "";
  row.update = (now) => {
    const state = `${now.outcome} ${now.status}`;
    if (shown === state) return;
    shown = state;
    label.dataset.kind = KINDS[now.outcome] ?? "idle";
    setText(label, now.outcome === "asked" ? "asked, not handled yet" : words(now.outcome));
    const second = now.approvedBy && `${now.outcome === "rejected" ? "rejected" : "approved"} by ${now.approvedBy}`;
    setText(detail, [second, now.detail].filter(Boolean).join(": "));
    status.hidden = !(now.status && now.outcome === "done");
    present.show(now.status ?? "");
    const open = now.outcome === "pending";
    detail.hidden = !detail.textContent;
    buttons.hidden = !open;
    buttons.replaceChildren(...(open ? [approvalButton("approve", now, done), approvalButton("reject", now, done)] : []));
  };
  return row;
}

function target({ kind, target: name }) {
  if (kind === "saga") return el("a", { class: "id", href: sagaAddress(name) }, name);
  return kind === "dead-letter" ? `dead letter #${name}` : name;
}
