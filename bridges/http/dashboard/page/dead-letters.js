// The view of all dead letters with their details.

import { chosenLettersButton, letterButton } from "./actions.js";
import { get } from "./api.js";
import { el, heading, keyed, setText } from "./dom.js";
import { exportButtons } from "./exports.js";
import { fullMoment, moment, words } from "./format.js";
import { letterGroups } from "./letter-groups.js";
import * as letters from "./letters.js";
import { problemBox } from "./problem.js";
import { filters } from "./route.js";
import { selection } from "./selection.js";

const PAGE = 50;

/** Show the view in `main`. Returns a function that closes it. */
export function deadLetters(main, { parameters }) {
  const list = el("ul", { class: "rows letters" });
  const none = el("p", { class: "empty", hidden: true });
  const trouble = el("div");
  const next = el("a", { hidden: true }, "Newer letters");
  const all = el("input", { type: "checkbox", id: "all" });
  all.checked = parameters.get("all") === "true";
  all.addEventListener("change", () => filters("dead-letters", { all: all.checked ? "true" : "" }));
  const groups = letterGroups(done);
  const tell = (problem) => trouble.replaceChildren(...problem);
  const chosen = selection("All on this page", (numbers) => ["replay", "discard"].map((action) =>
    chosenLettersButton(action, () => numbers().map(Number), tell, () => { chosen.clear(); done(); })));
  main.replaceChildren(
    el("section", { class: "page" },
      el("div", { class: "title" }, heading(1, "Dead letters"),
        el("p", { class: "muted" }, "Records that could not be handled, oldest first.")),
      el("div", { class: "filters" }, el("label", { class: "check" }, all, " Also those replayed or discarded"),
        exportButtons("dead-letters", () => ({ all: all.checked && "true" }))),
      trouble, groups.nodes, chosen.node, none, list, el("p", { class: "more" }, next)),
  );
  const leave = new AbortController();

  async function load() {
    try {
      const after = parameters.get("after") ?? "";
      const page = await get("dead-letters", { all: all.checked && "true", after, limit: PAGE }, leave.signal);
      trouble.replaceChildren();
      keyed(list, page.deadLetters, (letter) => `${letter.number} ${letter.action}`, (letter) => row(letter, done, chosen));
      chosen.shown(list);
      groups.show((await get("dead-letters/groups", {}, leave.signal)).groups);
      none.hidden = page.deadLetters.length > 0;
      setText(none, all.checked ? "There are no dead letters." : "There are no open dead letters.");
      next.hidden = !page.next;
      if (page.next) {
        const wanted = new URLSearchParams({ ...(all.checked && { all: "true" }), after: page.next });
        next.href = `#/dead-letters?${wanted}`;
      }
    } catch (problem) {
      if (problem.name !== "AbortError") trouble.replaceChildren(problemBox(problem));
    }
  }
  function done() {
    letters.refresh();
    load();
  }
  load();
  letters.changed.addEventListener("change", load);
  return () => {
    leave.abort();
    letters.changed.removeEventListener("change", load);
  };
}

function row(letter, done, chosen) {
  const seen = letter.action
    ? el("p", { class: "muted" }, `${words(letter.action)} by ${letter.by}, ${moment(letter.at)}`, letter.why ? `: ${letter.why}` : "")
    : null;
  return el(
    "li",
    { class: "row" },
    letter.action ? null : chosen.box(String(letter.number), `Choose dead letter ${letter.number}`),
    el("div", { class: "grow" },
      el("p", {}, el("strong", { class: "num" }, `#${letter.number}`), " ", letter.topic || "unknown topic", " ",
        el("span", { class: "muted", title: fullMoment(letter.time) }, moment(letter.time))),
      el("p", { class: "why" }, letter.error),
      seen,
      el("details", {}, el("summary", {}, "The record"), record(letter))),
    letter.action ? null : el("span", { class: "buttons" }, letterButton("replay", letter, done), letterButton("discard", letter, done)),
  );
}

function record(letter) {
  const rows = [
    ["Partition, offset", `${letter.partition}, ${letter.offset}`],
    ["Key", letter.key ?? "none"],
    ["Error", letter.error],
    ...Object.entries(letter.headers),
  ];
  return [
    el("dl", { class: "facts" }, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, el("code", {}, value))))),
    el("pre", { tabindex: "0", "aria-label": "Value" }, letter.value ?? "no value"),
  ];
}
