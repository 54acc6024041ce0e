// The result of the last audit, with its age.

import { el, keyed, setAttribute, setText } from "./dom.js";
import { count, fullMoment, many, roughly, seconds } from "./format.js";
import { now } from "./live.js";
import { section, UNKNOWN } from "./section.js";

/** A section; `update(audit)` shows a result, or that there is none. */
export function auditCard() {
  const summary = el("p", { class: "empty" }, UNKNOWN);
  const age = el("p", { class: "muted" });
  const broken = el("ul");
  const node = section("audit", ["Audit"], summary, age, broken,
    el("p", { class: "hint" }, "It compares orders, payments, stock and sagas with each other. Run it with ", el("code", {}, "order-sagas audit"), "."));
  node.update = (audit) => {
    if (!audit) {
      setText(summary, "No audit was run on this database.");
      keyed(broken, [], () => "", () => el("li"));
      return;
    }
    const violations = audit.checks.reduce((sum, each) => sum + each.violations, 0);
    summary.className = "status";
    setAttribute(summary, "data-kind", audit.ok ? "done" : "stuck");
    setText(summary, `${many(audit.checks.length, "check")}, ${violations ? many(violations, "violation") : audit.ok ? "no violations" : "not everything has ended"}`);
    setText(age, `${roughly(Math.max(0, now() - seconds(audit.at)))} ago by ${audit.by}, of ${count(audit.inFlight)} in flight`);
    age.title = fullMoment(audit.at);
    keyed(broken, audit.checks.filter((each) => each.violations), (each) => each.name, checkRow);
  };
  return node;
}

function checkRow() {
  const name = el("summary");
  const rule = el("p", { class: "hint" });
  const found = el("ul");
  const row = el("li", {}, el("details", {}, name, rule, found));
  row.update = (check) => {
    setText(name, `${check.name}: ${many(check.violations, "violation")}`);
    setText(rule, `Rule: ${check.rule}`);
    keyed(found, check.found, (each) => `${each.subject} ${each.found}`, (each) => el("li", {}, el("code", {}, each.subject), `: ${each.found}`));
  };
  return row;
}
