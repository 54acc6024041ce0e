// The sagas that need an operator's attention: in groups of one cause, and one by one.

import { chosenSagasButton, groupButton, idsOfGroup, retryAllButton, sagaButton } from "./actions.js";
import { el, keyed, setText } from "./dom.js";
import { count, moment, words } from "./format.js";
import { ofOrder } from "./links.js";
import { section, UNKNOWN } from "./section.js";
import { selection } from "./selection.js";

/** Number of sagas that are shown one by one. */
const SHOWN = 6;
/** Minimum number of sagas of one cause that are shown as a group. */
const GROUP = 3;

const keyOf = ({ saga, step, code, cause }) => JSON.stringify([saga, step, code, cause]);
/** A saga with a code is already compensating, so an undo is stuck. */
const placeOf = ({ step, code }) => (code ? `undo of ${step}` : step);

/** Groups of these sagas and the sagas themselves, with actions on each and on the chosen. */
export function attentionSection() {
  const list = el("ul", { class: "rows" });
  const none = el("p", { class: "empty" }, UNKNOWN);
  const beyond = el("span");
  const more = el("p", { class: "more", hidden: true }, el("a", { href: "#/orders?saga=NEEDS_ATTENTION" }, "All that need attention"), beyond);
  const groups = el("ul", { class: "rows groups", "aria-label": "Groups" });
  const number = el("span", { class: "badge num" });
  const trouble = el("div");
  const tell = (problem) => trouble.replaceChildren(...problem);
  const shown = new Map();
  const chosen = selection("All of these", (keys) => ["resume", "cancel"].map((action) =>
    chosenSagasButton(action, () => idsOf(keys()), tell, () => chosen.clear())));
  const everything = retryAllButton(tell);
  const bar = el("div", { class: "all act", hidden: true }, chosen.node, everything);
  const lists = el("div", {}, groups, list);

  /** The sagas of the chosen rows: a row is a saga, or a group. */
  async function idsOf(keys) {
    const found = await Promise.all(keys.map((key) => (shown.has(key) ? idsOfGroup(shown.get(key)) : [key])));
    return [...new Set(found.flat())];
  }

  return {
    node: section("attention", ["Needs attention", number], bar, trouble, none, lists, more),
    show(snapshot) {
      const all = snapshot.sagas.NEEDS_ATTENTION ?? 0;
      none.hidden = all > 0;
      setText(none, "Nothing needs attention.");
      // Keeps the focus inside the row.
      bar.hidden = all < 2 && !bar.contains(document.activeElement);
      setText(number, all ? count(all) : "");
      const several = snapshot.groups.filter((group) => group.count >= GROUP);
      shown.clear();
      for (const group of several) shown.set(keyOf(group), group);
      const single = snapshot.needsAttention.filter((saga) => !shown.has(keyOf(saga)));
      more.hidden = all <= SHOWN;
      // Only the oldest sagas are grouped.
      const left = all - snapshot.groups.reduce((sum, group) => sum + group.count, 0);
      setText(beyond, left > 0 ? `; ${count(left)} newer ones are in no group yet` : "");
      groups.hidden = !several.length;
      keyed(groups, several, keyOf, (group) => groupRow(group, tell, chosen));
      keyed(list, single.slice(0, SHOWN), (saga) => saga.sagaId, (saga) => attentionRow(saga, chosen));
      chosen.shown(lists);
    },
  };
}

function groupRow(group, tell, chosen) {
  let now = group;
  const name = el("strong");
  const text = el("span");
  const since = el("p", { class: "why" });
  const current = () => now;
  const oneStep = !group.step.includes(", ");
  const code = group.code && { code: group.code };
  const query = new URLSearchParams({ saga: "NEEDS_ATTENTION", definition: group.saga, step: group.step.split(", ")[0], cause: group.cause, ...code });
  const row = el(
    "li",
    { class: "row" },
    chosen.box(keyOf(group), `Choose all of ${group.saga}, ${placeOf(group)}: ${group.cause}${group.code ? `, ${words(group.code)}` : ""}`),
    el("div", { class: "grow" }, el("p", {}, name, text), since),
    el("span", { class: "buttons" },
      ...(oneStep ? ["retry", "skip"] : ["resume"]).map((action) => groupButton(action, current, tell)),
      group.code ? null : groupButton("cancel", current, tell)),
  );
  const link = el("a", { href: `#/orders?${query}` }, "Show them");
  const told = el("span");
  since.append(told, " ", link);
  row.update = (changed) => {
    now = changed;
    setText(name, `${count(now.count)} ×`);
    setText(text, ` ${placeOf(now)}: ${now.cause}, since ${moment(now.since)}`);
    setText(told, `${now.saga}${now.code ? `, compensated because: ${words(now.code)}` : ""}.`);
  };
  return row;
}

function attentionRow(saga, chosen) {
  const buttons = el("span", { class: "buttons" });
  const stuckIn = el("span");
  const stuckAt = el("strong");
  const cause = el("span");
  const since = el("span", { class: "muted num" });
  const why = el("p", { class: "why" });
  let shown = null;
  const row = el(
    "li",
    { class: "row" },
    chosen.box(saga.sagaId, `Choose ${saga.orderId}`),
    el("div", { class: "grow" },
      el("p", {}, ofOrder(saga), " ", stuckIn, " ", stuckAt, cause, " ", since),
      why),
    buttons,
  );
  row.update = (now) => {
    setText(stuckIn, "stuck in");
    setText(stuckAt, placeOf(now));
    setText(cause, now.cause ? `: ${now.cause},` : ",");
    setText(since, `begun ${moment(now.startedAt)}`);
    setText(why, now.reason ? `Compensated because: ${words(now.code)}: ${now.reason}` : now.saga);
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
