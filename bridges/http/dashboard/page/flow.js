// The flow of a saga, drawn from its definition, with the progress of one saga.

import { el, svg } from "./dom.js";
import { phaseText } from "./labels.js";

const WIDTH = 168;
const HEIGHT = 50;
const GAP = 26;
const ROW = 14;
const PAD = 10;
const LETTERS = 21;
const SYMBOLS = {
  DONE: "✓", FAILED: "✕", STUCK: "!", UNDO_STUCK: "!", SENT: "→", ASKED: "?", BACKOFF: "↻",
  UNDO_SENT: "↶", UNDO_BACKOFF: "↻", UNDONE: "↶", SKIPPED: "–", IDLE: "",
};
const KINDS = {
  DONE: "done", FAILED: "stuck", STUCK: "stuck", UNDO_STUCK: "stuck", SENT: "going", ASKED: "going",
  BACKOFF: "going", UNDO_SENT: "back", UNDO_BACKOFF: "back", UNDONE: "back", SKIPPED: "idle", IDLE: "idle",
};

/**
 * A drawing; `update(definition, steps)` draws it, `steps` being the states of a saga's steps by
 * name, or null for a definition alone. The table beside it has the same as text.
 */
export function flowDrawing(label, describedBy) {
  const node = el("div", { class: "flow" });
  let definition = null;
  let steps = null;
  let drawn = "";

  function draw() {
    if (!definition) return;
    const columns = Math.max(1, Math.floor((node.clientWidth + GAP) / (WIDTH + GAP)));
    const key = JSON.stringify([columns, definition.steps, steps]);
    if (key === drawn) return;
    drawn = key;
    node.replaceChildren(drawing(definition, steps, columns, label, describedBy));
  }
  node.update = (changed, states) => {
    definition = changed;
    steps = states;
    draw();
  };
  new ResizeObserver(draw).observe(node);
  return node;
}

function drawing(definition, steps, columns, label, describedBy) {
  const stages = [];
  for (const step of definition.steps) (stages[step.stage] ??= []).push(step);
  const nodes = [];
  let y = PAD;
  let end = null;
  for (let first = 0; first < stages.length; first += columns) {
    const line = stages.slice(first, first + columns);
    const tallest = Math.max(...line.map((stage) => stage.length));
    const height = tallest * (HEIGHT + ROW) - ROW;
    const middle = y + height / 2;
    line.forEach((stage, column) => {
      const x = PAD + column * (WIDTH + GAP);
      const top = middle - (stage.length * (HEIGHT + ROW) - ROW) / 2;
      if (end) nodes.push(link(end, { x, y: columns > 1 ? middle : y }, y - GAP / 2, passed(stage, steps)));
      stage.forEach((step, row) => nodes.push(box(step, x, top + row * (HEIGHT + ROW), steps)));
      if (stage.length > 1) {
        nodes.push(svg("rect", { class: "group", x: x - 5, y: top - 5, width: WIDTH + 10, height: stage.length * (HEIGHT + ROW) - ROW + 10, rx: 9 }));
      }
      end = columns > 1 ? { x: x + WIDTH, y: middle } : { x, y: y + height };
    });
    y += height + GAP;
  }
  const width = PAD * 2 + Math.min(columns, stages.length) * (WIDTH + GAP) - GAP;
  const words = definition.steps.map((step) => `${step.step}: ${stateOf(step, steps)?.text ?? "a step"}`);
  return svg("svg", {
    role: "img", viewBox: `0 0 ${width} ${y - GAP + PAD}`, width, height: y - GAP + PAD,
    "aria-label": `${label}. ${words.join("; ")}`, "aria-describedby": describedBy,
  }, nodes);
}

/** The state of a step; for an `each`, with the number of its items and of those that are done. */
function stateOf(step, steps) {
  if (!steps) return null;
  const own = steps[step.step];
  const items = step.item ? Object.entries(steps).filter(([name]) => name.startsWith(`${step.item}[`)).map(([, each]) => each) : [];
  const phase = items.find((each) => each.phase !== "DONE" && each.phase !== "IDLE")?.phase ?? own?.phase ?? "IDLE";
  const done = items.filter((each) => each.phase === "DONE").length;
  return {
    phase, attempt: own?.attempt ?? 0, paused: own?.paused ?? "",
    items: items.length ? `${done} of ${items.length}` : "",
    text: `${phaseText(phase)}${items.length ? `, ${done} of ${items.length} done` : ""}${own?.paused ? `, ${own.paused} is paused` : ""}`,
  };
}

const passed = (stage, steps) => steps !== null && stage.some((step) => (stateOf(step, steps)?.phase ?? "IDLE") !== "IDLE");

/** A line to the next stage: beside it, below it, or by the gap to the next line. */
function link(from, to, gap, isPassed) {
  const path = to.x === from.x
    ? `M${from.x + WIDTH / 2} ${from.y}V${to.y}`
    : to.x > from.x
    ? `M${from.x} ${from.y}H${(from.x + to.x) / 2}V${to.y}H${to.x - 1}`
    : `M${from.x} ${from.y}h${GAP / 2 - PAD}V${gap}H${to.x - PAD + 1}V${to.y}H${to.x}`;
  return svg("path", { class: "link", "data-passed": isPassed, d: path });
}

function box(step, x, y, steps) {
  const state = stateOf(step, steps);
  const phase = state?.phase ?? "IDLE";
  const marks = [
    step.pivot && "pivot", step.conditional && "if", step.item && (state?.items || "each"),
    state?.paused ? "paused" : state?.attempt > 1 && `attempt ${state.attempt}`,
  ].filter(Boolean);
  const who = { wait: "waits for a signal", delay: "waits", child: `runs ${step.child}`, lock: "lock" }[step.kind] ?? step.to;
  return svg("g", { class: "step", "data-kind": KINDS[phase], "data-phase": phase, "data-conditional": step.conditional, "data-pivot": step.pivot },
    svg("title", {}, `${step.step}, ${who}${state ? `: ${state.text}` : ""}`),
    svg("rect", { x, y, width: WIDTH, height: HEIGHT, rx: step.kind === "wait" || step.kind === "delay" ? 24 : 6 }),
    step.pivot ? svg("rect", { class: "inner", x: x + 3, y: y + 3, width: WIDTH - 6, height: HEIGHT - 6, rx: 4 }) : null,
    svg("text", { class: "name", x: x + 11, y: y + 21 }, short(step.step, LETTERS)),
    svg("text", { class: "who", x: x + 11, y: y + 38 }, short([who, ...marks].join(" · "), LETTERS + 4)),
    SYMBOLS[phase] ? svg("text", { class: "symbol", x: x + WIDTH - 10, y: y + 21, "text-anchor": "end" }, SYMBOLS[phase]) : null);
}

const short = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
