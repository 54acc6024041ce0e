// The figures at the top: sagas in flight, throughput, cancellation rate and overdue deadlines.

import { el, setAttribute, setText } from "./dom.js";
import { count, moment, percent, rate, roughly, seconds } from "./format.js";
import { live, now } from "./live.js";
import { sparkline } from "./sparkline.js";

/** Maximum and minimum number of seconds of the history that the sparklines show. */
const WINDOW = 900;
const SHORTEST = 120;
/** Number of intervals of the history after which its newest figures are not current. */
const LATE = 3;

/**
 * `show(snapshot)`, `showHistory(history)` and `showLetters(letters)` update the figures; `since`
 * names their period.
 */
export function makeFigures() {
  const since = el("p", { class: "muted", id: "since" });
  const flight = figure("In flight", "flight", true);
  const ended = figure("Ended a second", "ended", true);
  const failed = figure("Cancelled", "failed", true);
  const stuck = figure("Need attention", "stuck");
  const late = figure("Overdue", "late");
  const dead = figure("Dead letters", "dead");
  const node = el("dl", { class: "figures" }, [flight, ended, failed, stuck, late, dead].map((f) => f.node));
  let inFlight = [];
  let span = SHORTEST;
  return {
    node,
    since,
    show(snapshot) {
      flight.say(count(snapshot.inFlight), `${count(snapshot.sagas.COMPENSATING ?? 0)} being undone`);
      const end = seconds(snapshot.at);
      const reach = Math.max(span, end - (inFlight[0]?.[0] ?? end));
      flight.spark.draw([...inFlight, [end, snapshot.inFlight]], reach, 5, end);
      const attention = snapshot.sagas.NEEDS_ATTENTION ?? 0;
      stuck.say(count(attention), attention ? "stuck until an operator acts" : "nothing is stuck");
      setAttribute(stuck.node, "data-kind", attention ? "stuck" : null);
      const held = snapshot.pausedOverdue;
      const others = snapshot.overdue ? "their deadline has passed" : "no deadline has passed";
      late.say(count(snapshot.overdue), held ? `${count(held)} more wait for a pause to end` : others);
      setAttribute(late.node, "data-kind", snapshot.overdue ? "back" : null);
    },
    showHistory({ data, problem }) {
      const { at, endedRate, cancelledShare, inFlight: flying } = within(data, WINDOW);
      inFlight = pairs(at, flying);
      span = at.length ? Math.max(SHORTEST, Math.min(WINDOW, now() - at[0])) : SHORTEST;
      if (live.snapshot) this.show(live.snapshot);
      const last = at.at(-1) ?? 0;
      const isNow = now() - last < LATE * data?.resolution;
      const known = endedRate.filter((each) => each !== null);
      const unknown = problem?.title ?? (last ? `not known since ${moment(new Date(last * 1000).toISOString())}` : "no figures are kept yet");
      ended.say(rate(isNow ? endedRate.at(-1) : null), isNow ? `${rate(Math.max(...known))} at most` : unknown);
      ended.spark.draw(pairs(at, endedRate), span, 1, now());
      const all = known.reduce((sum, each) => sum + each, 0);
      const lost = endedRate.reduce((sum, each, i) => sum + each * cancelledShare[i], 0);
      failed.say(percent(all ? lost / all : null), all ? "of ended sagas" : known.length ? "no saga has ended" : unknown);
      failed.spark.draw(pairs(at, cancelledShare), span, 0.2, now());
      setText(since, last ? `The last ${roughly(Math.min(WINDOW, now() - at[0] + data.resolution))}` : "");
    },
    showLetters({ page, problem }) {
      const number = page?.deadLetters.length ?? 0;
      const text = page ? `${count(number)}${page.next ? "+" : ""}` : "–";
      dead.say(text, problem ? problem.title : !page ? "not known yet" : number ? "to replay or discard" : "none is open");
      setAttribute(dead.node, "data-kind", number ? "back" : null);
    },
  };
}

/** The last `span` seconds of the lists of a history; `at` has the ends of intervals. */
function within(history, span) {
  const { at = [], resolution, endedRate = [], cancelledShare = [], inFlight = [] } = history ?? {};
  const first = at.findIndex((each) => each > now() - span);
  const newest = (values) => values.slice(first < 0 ? values.length : first);
  return {
    at: newest(at).map((each) => each + resolution),
    endedRate: newest(endedRate), cancelledShare: newest(cancelledShare), inFlight: newest(inFlight),
  };
}

const pairs = (at, values) => at.map((each, i) => [each, values[i]]);

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
