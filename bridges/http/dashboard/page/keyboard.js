// Keyboard shortcuts: move in the list, find, go to a view, and a list of the shortcuts.

import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";

const KEYS = [
  ["/", "Focus the filter of the list"], ["j", "Next row"], ["k", "Previous row"],
  ["Enter", "Open the row"], ["x", "Choose the row"], ["g o", "Overview"], ["g l", "Orders"], ["g d", "Dead letters"],
  ["g s", "Definitions of sagas"], ["g h", "History"], ["g a", "Actions"], ["?", "This list"],
];
const VIEWS = { o: "#/", l: "#/orders", d: "#/dead-letters", s: "#/definitions", h: "#/history", a: "#/actions" };
/** Milliseconds in which the second key of a pair has to follow. */
const PAIR = 1500;

let went = 0;

/** Listen to keys; an attribute of the body is set while keys are used. Keys are ignored while a field has the focus, or a dialog is open. */
export function listenToKeys(main, button) {
  button.addEventListener("click", showKeys);
  addEventListener("keydown", () => document.body.toggleAttribute("data-keys", true), true);
  addEventListener("pointerdown", () => document.body.toggleAttribute("data-keys", false), true);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const act = actionOf(event.key, main);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

const rowOf = (node) => node?.closest("tr, li, .row");
const isTyping = (node) => node instanceof Element && node.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");

function actionOf(key, main) {
  if (Date.now() - went < PAIR && VIEWS[key]) {
    went = 0;
    return () => {
      location.hash = VIEWS[key];
    };
  }
  if (key === "g") return () => { went = Date.now(); };
  if (key === "j") return () => move(main, 1);
  if (key === "k") return () => move(main, -1);
  if (key === "?") return showKeys;
  const box = key === "x" && rowOf(document.activeElement)?.querySelector("input[type=checkbox]");
  if (box) return () => box.click();
  const filter = key === "/" && main.querySelector("input[type=search], .filters input, .filters select");
  return filter ? () => filter.focus() : null;
}

/** The first link or button of each row of the lists. Enter activates it without code here. */
function move(main, by) {
  const rows = [...main.querySelectorAll("tbody tr, li.row, ul.rows > li, .row")].filter((row) => row.checkVisibility());
  const targets = [...new Set(rows.map((row) => row.querySelector("a[href], button")).filter(Boolean))];
  if (!targets.length) return;
  const at = targets.findIndex((each) => each === document.activeElement || rowOf(each)?.contains(document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : targets.length - 1) : Math.min(Math.max(0, at + by), targets.length - 1);
  targets[next].focus();
  targets[next].scrollIntoView({ block: "nearest" });
}

function showKeys() {
  openDialog({
    title: "Keys",
    text: "They work while nothing is typed.",
    fields: [el("dl", { class: "keys" }, KEYS.flatMap(([key, what]) => [
      el("dt", {}, key.split(" ").map((each) => el("kbd", {}, each))), el("dd", {}, what),
    ]))],
  });
}
