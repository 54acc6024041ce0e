// Checkboxes of a list, and the buttons for an action on all chosen rows.

import { el, setText } from "./dom.js";
import { count } from "./format.js";

/**
 * The chosen rows of a list, by key; `all` is the label of the checkbox for all rows.
 * `buttons(chosen)` makes the buttons, `chosen()` returns the keys.
 */
export function selection(all, buttons) {
  const keys = new Set();
  const text = el("span", { class: "muted" });
  const every = el("input", { type: "checkbox" });
  const acts = el("span", { class: "buttons" }, buttons(() => [...keys]));
  const bar = el("div", { class: "chosen act", hidden: true },
    el("label", { class: "check" }, every, ` ${all}`), text, acts);
  let boxes = [];
  const tell = () => {
    setText(text, keys.size ? `${count(keys.size)} chosen` : "");
    acts.hidden = !keys.size;
    every.checked = keys.size > 0 && keys.size === boxes.length;
    every.indeterminate = keys.size > 0 && keys.size < boxes.length;
  };
  every.addEventListener("change", () => {
    for (const box of boxes) {
      box.checked = every.checked;
      if (every.checked) keys.add(box.value);
      else keys.delete(box.value);
    }
    tell();
  });
  return {
    node: bar,
    /** A checkbox for a row. */
    box(key, label) {
      const box = el("input", { type: "checkbox", class: "act", value: key, "aria-label": label });
      box.checked = keys.has(key);
      box.addEventListener("change", () => {
        if (box.checked) keys.add(key);
        else keys.delete(key);
        tell();
      });
      return box;
    },
    /** Update after the list was rendered: rows that are gone are no longer chosen. */
    shown(list) {
      boxes = [...list.querySelectorAll("input[type=checkbox]")];
      const there = new Set(boxes.map((box) => box.value));
      for (const key of keys) if (!there.has(key)) keys.delete(key);
      bar.hidden = !boxes.length;
      tell();
    },
    clear() {
      keys.clear();
      boxes.forEach((box) => { box.checked = false; });
      tell();
    },
  };
}
