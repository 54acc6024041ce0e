// A sparkline of the last minutes. The figure beside it has the value as text: it is decorative.

import { setAttribute, svg } from "./dom.js";

const WIDTH = 240;
const HEIGHT = 40;
const PAD = 3;

/** An SVG whose `draw(points, window, least, end)` shows `[time, value]` pairs up to `end`; null leaves a gap. */
export function sparkline() {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const tip = svg("path", { class: "tip" });
  const node = svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }),
    area,
    line,
    tip,
  );
  node.draw = (points, window, least, end) => {
    const known = points.filter(([, value]) => value !== null);
    const top = Math.max(least, ...known.map(([, value]) => value));
    const x = (at) => WIDTH - PAD - ((end - at) / window) * (WIDTH - PAD);
    const y = (value) => HEIGHT - 1 - (value / top) * (HEIGHT - 1 - PAD);
    const runs = [];
    let run = null;
    for (const [at, value] of points) {
      if (value === null) run = null;
      else if (run) run.push([x(at), y(value)]);
      else runs.push((run = [[x(at), y(value)]]));
    }
    const path = (run) => run.map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join("L");
    setAttribute(line, "d", runs.map((run) => `M${path(run)}`).join(""));
    setAttribute(
      area,
      "d",
      runs.map((run) => `M${run[0][0].toFixed(1)} ${HEIGHT}L${path(run)}L${run.at(-1)[0].toFixed(1)} ${HEIGHT}Z`).join(""),
    );
    const last = known.at(-1);
    // A zero-length line with round caps is drawn as a circle, however the SVG is stretched.
    const dot = last && last === points.at(-1) ? `M${path([[x(last[0]), y(last[1])]])}h0` : null;
    setAttribute(tip, "d", dot);
  };
  return node;
}
