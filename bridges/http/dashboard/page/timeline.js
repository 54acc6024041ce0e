// The timeline of a saga: a row for each attempt, on an axis that can be zoomed.

import { attemptsOf } from "./attempts.js";
import { el, keyed, setAttribute, setText } from "./dom.js";
import { fine, fullMoment, seconds } from "./format.js";
import { now } from "./live.js";

/** Shortest and longest part that is shown, in seconds. */
const SHORTEST = 20e-6;
const TICKS = 5;
const ZOOM_SPEED = 0.01;
/** Share of the axis up to which a tick has space for its label. */
const WIDEST = 0.92;
const NICE = [
  ...[-6, -5, -4, -3, -2, -1, 0].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power)),
  10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000,
];
const KINDS = { done: "done", told: "done", undone: "back", failed: "stuck", refused: "stuck", stuck: "stuck", "no answer": "back", skipped: "idle" };

/** A section with `update(saga, story)`, and `tick()` for attempts under way. */
export function timelineSection() {
  const axis = el("div", { class: "axis", "aria-hidden": "true" });
  const rows = el("tbody");
  const range = el("p", { class: "muted num", role: "status" });
  const control = (text, label, act) =>
    el("button", { type: "button", class: "small", "aria-label": label, title: label, onclick: () => { act(); draw(); } }, text);
  const node = el("div", { class: "timeline" },
    el("div", { class: "zoom" },
      el("h3", {}, "Timeline"), range,
      el("span", { class: "buttons", role: "group", "aria-label": "Part of the timeline" },
        control("◀", "Earlier", () => move(-0.5)), control("▶", "Later", () => move(0.5)),
        control("−", "Zoom out", () => zoom(2.5)), control("+", "Zoom in", () => zoom(0.4)),
        control("Whole", "Whole saga", () => reset()))),
    el("p", { class: "hint" }, "Ctrl and the wheel zoom too, and so do the keys + and − in the table; 0 shows the whole saga, ← and → move."),
    el("table", { class: "attempts", "aria-label": "Attempts" },
      el("thead", {}, el("tr", {},
        el("th", { scope: "col" }, "Attempt"), el("th", { scope: "col" }, "Result"),
        el("th", { scope: "col", class: "lane-head" }, el("span", { class: "hidden" }, "When"), axis),
        el("th", { scope: "col", class: "end" }, "Began"), el("th", { scope: "col", class: "end" }, "Took"))),
      rows));
  // A pinch on a touchpad comes as a wheel with Ctrl; without Ctrl, the wheel scrolls the page.
  node.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const { left, width } = axis.getBoundingClientRect();
    zoom(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * ZOOM_SPEED), Math.min(Math.max((event.clientX - left) / width, 0), 1));
    draw();
  }, { passive: false });
  node.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]();
    draw();
  });
  let saga = null;
  let attempts = [];
  /** The part that is shown, `[from, to]` in seconds since the start; null for the whole. */
  let view = null;

  const whole = () => {
    const start = seconds(saga.startedAt);
    const last = Math.max(...attempts.map((each) => each.ended ?? 0), 0);
    const isGoing = attempts.some((each) => each.ended === null);
    const end = isGoing ? Math.max(last, now() - start) : last;
    return [0, Math.max(end * 1.02, SHORTEST)];
  };
  const shown = () => view ?? whole();
  const reset = () => { view = null; };
  const KEYS = {
    "+": () => zoom(0.4), "=": () => zoom(0.4), "-": () => zoom(2.5), 0: reset,
    ArrowLeft: () => move(-0.5), ArrowRight: () => move(0.5),
  };
  /** Zoom by a factor; the point at this share of the axis stays where it is. */
  function zoom(factor, share = 0.5) {
    const [from, to] = shown();
    const length = Math.max(SHORTEST, (to - from) * factor);
    limit(from + (to - from - length) * share, length);
  }
  function move(share) {
    const [from, to] = shown();
    limit(from + (to - from) * share, to - from);
  }
  function limit(from, length) {
    const [, end] = whole();
    if (length >= end) view = null;
    else {
      const begin = Math.min(Math.max(0, from), end - length);
      view = [begin, begin + length];
    }
  }
  function show(attempt) {
    const length = Math.max(SHORTEST, ((attempt.ended ?? whole()[1]) - attempt.began) * 1.6);
    limit(attempt.began - length * 0.2, length);
    draw();
  }

  node.update = (changed, story) => {
    saga = changed;
    attempts = attemptsOf(saga, story);
    keyed(rows, attempts, (each) => `${each.step} ${each.undo} ${each.attempt} ${each.began}`, () => row(show));
    draw();
  };
  node.tick = () => {
    if (saga && !view && attempts.some((each) => each.ended === null)) draw();
  };

  function draw() {
    if (!saga) return;
    const [from, to] = shown();
    const step = NICE.find((each) => each * TICKS >= to - from) ?? NICE.at(-1);
    const ticks = [];
    for (let at = Math.ceil(from / step) * step; at <= from + WIDEST * (to - from) && ticks.length < 20; at += step) ticks.push(at);
    keyed(axis, ticks, (at) => at.toPrecision(9), () => tick());
    [...axis.children].forEach((each) => each.place(from, to));
    setText(range, view ? `${fine(from)} to ${fine(to)} after the start` : `All ${fine(to / 1.02)}`);
    const start = seconds(saga.startedAt);
    [...rows.children].forEach((each) => each.place(from, to, start));
  }
  return node;
}

function tick() {
  const node = el("span", { class: "num" });
  let at = 0;
  node.update = (changed) => {
    at = changed;
    setText(node, fine(at));
  };
  node.place = (from, to) => {
    node.style.insetInlineStart = `${((at - from) / (to - from)) * 100}%`;
  };
  return node;
}

function row(show) {
  const name = el("button", { type: "button", class: "link", title: "Zoom to this attempt" });
  const attempt = el("span", { class: "muted" });
  const result = el("td", { "data-label": "Result" });
  const bar = el("span", { class: "span", "aria-hidden": "true" });
  const began = el("td", { class: "num end", "data-label": "Began" });
  const took = el("td", { class: "num end", "data-label": "Took" });
  const node = el("tr", {}, el("th", { scope: "row" }, name, " ", attempt), result,
    el("td", { class: "lane-cell" }, el("div", { class: "lane" }, bar)), began, took);
  let each = null;
  name.addEventListener("click", () => show(each));
  node.update = (changed) => {
    each = changed;
    setText(name, `${each.undo ? "undo " : ""}${each.step}`);
    setText(attempt, each.attempt > 1 ? `attempt ${each.attempt}` : "");
    setText(result, each.result);
    setAttribute(result, "data-kind", KINDS[each.result] ?? "going");
    setAttribute(bar, "data-kind", KINDS[each.result] ?? "going");
    bar.classList.toggle("unanswered", each.result === "no answer");
  };
  node.place = (from, to, start) => {
    const end = each.ended ?? Math.max(to, each.began);
    const share = (at) => Math.min(Math.max((at - from) / (to - from), 0), 1);
    const [left, right] = [share(each.began), share(end)];
    bar.hidden = each.began > to || end < from;
    bar.style.insetInlineStart = `min(${left * 100}%, 100% - 4px)`;
    bar.style.inlineSize = `max(4px, ${(right - left) * 100}%)`;
    setText(began, `+${fine(each.began)}`);
    began.title = fullMoment(new Date((start + each.began) * 1000).toISOString());
    const length = (each.ended ?? now() - start) - each.began;
    setText(took, each.result === "told" || each.result === "skipped" ? "" : fine(Math.max(0, length)));
  };
  return node;
}
