// A chart over time, drawn by uPlot on a canvas, with a summary as text below it.

import { el, keyed, setText } from "./dom.js";
import { moment } from "./format.js";

const HEIGHT = 150;
const PEN = 1.5;
/** Height of a scale if every value is zero; one percent for a share. */
const LOWEST = 0.01;

/** Distances of the lines of a chart of whole numbers. */
const COUNTS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();
/** Distances in time, in seconds: the labels have no seconds. */
const TIMES = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const clock = (at) => hours.format(new Date(at * 1000));

/**
 * A figure; `update(at, series)` draws `{name, values}` over times in seconds since the epoch. A
 * value is null where it is unknown. `format(value)` makes the text of a value. `isCount` is for
 * whole numbers.
 */
export function chart(title, about, format, isCount = false) {
  const canvas = el("div", { class: "canvas", "aria-hidden": "true" });
  const legend = el("ul", { class: "series" });
  const node = el("figure", { class: "chart" }, el("h2", {}, title), el("p", { class: "hint" }, about), canvas, el("figcaption", {}, legend));
  let plot = null;
  let drawn = "";
  let data = null;

  function draw() {
    const { uPlot } = globalThis;
    if (!data || !uPlot || !canvas.clientWidth) return;
    const colors = [...legend.children].map((row) => getComputedStyle(row.firstChild).color);
    const lines = [getComputedStyle(canvas).color, getComputedStyle(canvas).borderTopColor];
    const key = JSON.stringify([canvas.clientWidth, colors, lines]);
    if (plot && key === drawn) {
      plot.setData(data);
      return;
    }
    plot?.destroy();
    drawn = key;
    const axis = { stroke: lines[0], grid: { stroke: lines[1], width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    plot = new uPlot({
      width: canvas.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false },
      padding: [8, 22, 0, 0],
      series: [{}, ...colors.map((stroke, i) => ({ stroke, width: PEN, dash: i ? [6, 3] : undefined, points: { show: false } }))],
      axes: [{ ...axis, size: 26, incrs: TIMES, values: (_, values) => values.map(clock) }, { ...axis, size: 62, ...(isCount && { incrs: COUNTS }), values: (_, values) => values.map(format) }],
      scales: { y: { range: (_, low, high) => [0, (high || LOWEST) * 1.08] } },
    }, data, canvas);
  }

  node.update = (at, series) => {
    data = [at, ...series.map(({ values }) => values)];
    keyed(legend, series, ({ name }) => name, ({ name }) => seriesRow(name, format));
    [...legend.children].forEach((row) => row.show(at));
    draw();
  };
  new ResizeObserver(draw).observe(canvas);
  return node;
}

/** A series as text: its newest value, its range, and the time of the highest. */
function seriesRow(name, format) {
  const text = el("span");
  const row = el("li", {}, el("span", { class: "swatch", "aria-hidden": "true" }), el("strong", {}, name), " ", text);
  let values = [];
  row.update = (changed) => {
    values = changed.values;
  };
  row.show = (at) => {
    const known = values.flatMap((value, i) => (value === null ? [] : [[value, at[i]]]));
    if (!known.length) {
      setText(text, "not known");
      return;
    }
    const most = known.reduce((a, b) => (b[0] > a[0] ? b : a));
    const least = Math.min(...known.map(([value]) => value));
    const last = values.at(-1) === null ? "not known now" : `${format(values.at(-1))} at the end`;
    if (least === most[0]) {
      setText(text, values.at(-1) === null ? `${last}; ${format(least)} before` : `always ${format(least)}`);
      return;
    }
    setText(text, `${last}; from ${format(least)} to ${format(most[0])}, at ${moment(new Date(most[1] * 1000).toISOString())}`);
  };
  return row;
}
