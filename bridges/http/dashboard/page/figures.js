// The figures at the top: sagas in flight, throughput, cancellation rate and overdue deadlines.

import { el, setAttribute, setText } from "./dom.js";
import { count, percent, rate, roughly } from "./format.js";
import * as samples from "./samples.js";
import { sparkline } from "./sparkline.js";

/** `show(snapshot)` and `showLetters(letters)` update the figures; `since` names their period. */
export function makeFigures() {
  const since = el("p", { class: "muted", id: "since" });
  const flight = figure("In flight", "flight", true);
  const ended = figure("Ended a second", "ended", true);
  const failed = figure("Cancelled", "failed", true);
  const stuck = figure("Need attention", "stuck");
  const late = figure("Overdue", "late");
  const dead = figure("Dead letters", "dead");
  const node = el("dl", { class: "figures" }, [flight, ended, failed, stuck, late, dead].map((f) => f.node));
  return {
    node,
    since,
    show(snapshot) {
      const throughput = samples.throughput();
      const reach = samples.reach();
      const span = reach < samples.WINDOW - 5 ? roughly(reach) : "5 min";
      const window = samples.span();
      setText(since, `The last ${span}, as this page saw them`);
      flight.say(count(snapshot.inFlight), `${count(snapshot.sagas.COMPENSATING ?? 0)} being undone`);
      flight.spark.draw(samples.inFlight(), window, 5);
      ended.say(rate(throughput.at(-1)?.[1] ?? null), `${rate(peak(throughput))} at most`);
      ended.spark.draw(throughput, window, 1);
      failed.say(percent(samples.failuresOverAll()), "of what ended");
      failed.spark.draw(samples.failures(), window, 0.2);
      const attention = snapshot.sagas.NEEDS_ATTENTION ?? 0;
      stuck.say(count(attention), attention ? "stuck until somebody acts" : "nothing is stuck");
      setAttribute(stuck.node, "data-kind", attention ? "stuck" : null);
      const held = snapshot.pausedOverdue;
      const others = snapshot.overdue ? "their deadline has passed" : "every deadline is ahead";
      late.say(count(snapshot.overdue), held ? `${count(held)} more wait for a pause to end` : others);
      setAttribute(late.node, "data-kind", snapshot.overdue ? "back" : null);
    },
    showLetters({ page, problem }) {
      const number = page?.deadLetters.length ?? 0;
      const text = page ? `${count(number)}${page.next ? "+" : ""}` : "–";
      dead.say(text, problem ? problem.title : !page ? "not known yet" : number ? "nobody has seen to them" : "none is open");
      setAttribute(dead.node, "data-kind", number ? "back" : null);
    },
  };
}

function peak(points) {
  const known = points.map(([, value]) => value).filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
}

function figure(name, key, withSpark = false) {
  const value = el("span", { class: "value num" }, "–");
  const note = el("span", { class: "note" });
  const spark = withSpark ? sparkline() : null;
  const node = el("div", { class: "figure", "data-figure": key }, el("dt", {}, name), el("dd", {}, value, note, spark));
  return {
    node,
    spark,
    say(text, more) {
      setText(value, text);
      setText(note, more);
    },
  };
}
