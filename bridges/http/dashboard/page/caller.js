// Whom the server takes this page for. What the caller may not do is not offered.

import { get } from "./api.js";

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

  /** What the history says of an action of this caller. */
  get remark() {
    if (!caller.known) return "It stays in the history, with the name of your token.";
    const why = caller.known.needsToken ? "the name of your token" : "as no tokens are set";
    return `It stays in the history as done by “${caller.known.name}”, ${why}.`;
  },
};
