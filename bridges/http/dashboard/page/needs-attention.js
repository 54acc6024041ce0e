// The sagas that need an operator's attention.

import { retryAllButton, sagaButton } from "./actions.js";
import { el, keyed, setText } from "./dom.js";
import { moment, words } from "./format.js";
import { orderLink } from "./links.js";
import { section, UNKNOWN } from "./section.js";

const SHOWN = 6;

/** The newest of these sagas, each with its possible actions. */
export function attentionSection() {
  const list = el("ul", { class: "rows" });
  const none = el("p", { class: "empty" }, UNKNOWN);
  const more = el("p", { class: "more" }, el("a", { href: "#/orders?saga=NEEDS_ATTENTION" }, "All that need attention"));
  const number = el("span", { class: "badge num" });
  const trouble = el("div");
  const everything = el("p", { class: "all" }, retryAllButton((problem) => trouble.replaceChildren(...problem)));
  return {
    node: section("attention", ["Needs attention", number], everything, trouble, none, list, more),
    show(snapshot) {
      const all = snapshot.sagas.NEEDS_ATTENTION ?? 0;
      none.hidden = all > 0;
      setText(none, "Nothing needs attention.");
      more.hidden = all <= SHOWN;
      // Keeps the focus inside the row.
      everything.hidden = all < 2 && !everything.contains(document.activeElement);
      setText(number, all || "");
      keyed(list, snapshot.needsAttention.slice(0, SHOWN), (saga) => saga.sagaId, attentionRow);
    },
  };
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
