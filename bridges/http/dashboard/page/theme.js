// The theme: light, dark, or the system's; stored in this browser.

import { setText } from "./dom.js";

const KEY = "order-sagas.theme";
const NEXT = { system: "light", light: "dark", dark: "system" };

/** Make a button cycle through the themes. */
export function switchTheme(button) {
  const show = () => {
    const theme = document.documentElement.dataset.theme ?? "system";
    setText(button.querySelector("b"), theme);
    button.setAttribute("aria-label", `Theme: ${theme}`);
  };
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const theme = NEXT[root.dataset.theme ?? "system"];
    if (theme === "system") {
      delete root.dataset.theme;
      localStorage.removeItem(KEY);
    } else {
      root.dataset.theme = theme;
      localStorage.setItem(KEY, theme);
    }
    show();
  });
  show();
}
