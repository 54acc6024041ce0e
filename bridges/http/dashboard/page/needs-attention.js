// The sagas that need an operator's attention.

import { groupButton, retryAllButton, sagaButton } from "./actions.js";
import { el, keyed, setText } from "./dom.js";
import { count, moment, words } from "./format.js";
import { orderLink } from "./links.js";
import { section, UNKNOWN } from "./section.js";

const SHOWN = 6;

/** The newest of these sagas, each with its possible actions. */
export function attentionSection() {
  const list = el("ul", { class: "rows" });
  const none = el("p", { class: "empty" }, UNKNOWN);
  const more = el("p", { class: "more" }, el("a", { href: "#/orders?saga=NEEDS_ATTENTION" }, "All that need attention"));
  const groups = el("ul", { class: "rows groups", "aria-label": "Groups" });
  const number = el("span", { class: "badge num" });
  const trouble = el("div");
  const tell = (problem) => trouble.replaceChildren(...problem);
  const everything = el("p", { class: "all" }, retryAllButton(tell));
  return {
    node: section("attention", ["Needs attention", number], everything, trouble, none, groups, list, more),
    show(snapshot) {
      const all = snapshot.sagas.NEEDS_ATTENTION ?? 0;
      none.hidden = all > 0;
      setText(none, "Nothing needs attention.");
      more.hidden = all <= SHOWN;
      // Keeps the focus inside the row.
      everything.hidden = all < 2 && !everything.contains(document.activeElement);
      setText(number, all || "");
      // A group of one is the row below.
      const several = (snapshot.groups ?? []).filter((group) => group.count > 1);
      groups.hidden = !several.length;
      keyed(groups, several, (group) => `${group.saga} ${group.step} ${group.code}`, (group) => groupRow(group, tell));
      keyed(list, snapshot.needsAttention.slice(0, SHOWN), (saga) => saga.sagaId, attentionRow);
    },
  };
}

function groupRow(group, tell) {
  let now = group;
  const text = el("p");
  const since = el("p", { class: "why" });
  const current = () => now;
  const oneStep = !group.step.includes(", ");
  const row = el(
    "li",
    { class: "row" },
    el("div", { class: "grow" }, text, since),
    el("span", { class: "buttons" },
      oneStep ? [groupButton("retry", current, tell), groupButton("skip", current, tell)] : null,
      // A saga with a code is compensating already.
      group.code ? null : groupButton("cancel", current, tell)),
  );
  row.update = (changed) => {
    now = changed;
    const place = now.code ? `the undo of ${now.step}` : now.step;
    setText(text, `${count(now.count)} × ${now.saga}: stuck in ${place}`);
    setText(since, `${now.code ? `${words(now.code)}, ` : ""}the oldest begun ${moment(now.oldest)}`);
  };
  return row;
}

function attentionRow(saga) {
  const buttons = el("span", { class: "buttons" });
  const stuckIn = el("span");
  const stuckAt = el("strong");
  const since = el("span", { class: "muted num" });
  const why = el("p", { class: "why" });
  let shown = null;
  const row = el(
    "li",
    { class: "row" },
    el("div", { class: "grow" },
      el("p", {}, orderLink(saga.orderId), " ", stuckIn, " ", stuckAt, " ", since),
      why),
    buttons,
  );
  row.update = (now) => {
    setText(stuckIn, now.code ? "stuck in the undo of" : "stuck in");
    setText(stuckAt, now.step);
    setText(since, `begun ${moment(now.startedAt)}`);
    setText(why, now.reason ? `${words(now.code)}: ${now.reason}` : now.saga);
    if (shown === now.step) return;
    shown = now.step;
    const several = now.step.includes(", ");
    buttons.replaceChildren(
      ...(several
        ? [sagaButton("resume", now)]
        : [sagaButton("retry", now, now.step), sagaButton("skip", now, now.step)]),
    );
  };
  return row;
}
