// Name and role of the caller, from the server. Actions that the caller may not do are hidden.

import { get, who } from "./api.js";

export const caller = {
  /** The answer of the API; null until it is known. */
  known: null,

  /** Read the name and role of the token. If that fails, every action is shown, and may be refused. */
  async ask() {
    try {
      caller.known = await get("caller");
    } catch {
      caller.known = null;
    }
    document.body.toggleAttribute("data-only-looks", caller.known?.mayAct === false);
  },

  /** Whether the server has no tokens with names, so that the operator has to enter one. */
  get needsName() {
    return caller.known?.needsToken === false;
  },

  /** How the history and the log of actions record the caller. */
  get remark() {
    if (!caller.known) return "It is stored in the history, with the name of your token.";
    const name = caller.needsName ? who.get() : caller.known.name;
    return name ? `It is stored in the history as done by “${name}”.` : "It is stored in the history, with your name.";
  },
};
