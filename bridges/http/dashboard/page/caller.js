// Whom the server takes this page for. What the caller may not do is not offered.

import { get, who } from "./api.js";

export const caller = {
  /** The answer of the API; null until it is known. */
  known: null,

  /** Ask who the token belongs to. If that fails, every action is offered, and may be refused. */
  async ask() {
    try {
      caller.known = await get("caller");
    } catch {
      caller.known = null;
    }
    document.body.toggleAttribute("data-only-looks", caller.known?.mayAct === false);
  },

  /** Whether the server knows no names, so that the operator has to give one. */
  get needsName() {
    return caller.known?.needsToken === false;
  },

  /** What the history and the log of actions say of an action of this caller. */
  get remark() {
    if (!caller.known) return "It stays in the history, with the name of your token.";
    const name = caller.needsName ? who.get() : caller.known.name;
    return name ? `It stays in the history as done by “${name}”.` : "It stays in the history, with your name.";
  },
};
