// Displays the problem details of an API error.

import { el } from "./dom.js";

/** Title, detail, and the errors by field. */
export function problemBox(problem, role = "alert") {
  const title = problem.status ? `${problem.status} ${problem.title}` : problem.title;
  const fields = problem.errors ?? [];
  const detail = (problem.detail ?? "").replace(/^#\/why: /, "");
  return el(
    "div",
    { class: "problem", role },
    el("p", {}, el("strong", {}, title ?? "Something went wrong")),
    detail ? el("p", {}, detail) : null,
    fields.length > 1 || (fields.length === 1 && !detail.includes(fields[0].detail))
      ? el("ul", {}, fields.map((each) =>
          el("li", {}, el("code", {}, each.pointer || each.parameter || ""), ` ${each.detail}`)))
      : null,
  );
}
