// The messages of a saga: which one caused an event of its history, and which ones it sent.

import { el, keyed, setText } from "./dom.js";
import { count, moment } from "./format.js";
import { kind } from "./story.js";

/** Assign each message to the entries of a story: `arrived` caused it, `sent` were sent by it. */
export function withMessages(story, messages) {
  const byId = new Map(messages.map((each) => [each.eventId, each]));
  const caused = new Map();
  for (const each of messages) {
    if (!caused.has(each.causationId)) caused.set(each.causationId, []);
    caused.get(each.causationId).push(each);
  }
  const first = new Map();
  const sender = new Map();
  for (const entry of story) {
    if (!first.has(entry.cause)) first.set(entry.cause, entry);
    // A timer gives up an attempt, and sends the next one.
    if (!sender.has(entry.cause) || kind(entry.event).endsWith("_retried")) sender.set(entry.cause, entry);
  }
  for (const entry of story) {
    entry.arrived = (first.get(entry.cause) === entry && byId.get(entry.cause)) || null;
    entry.sent = (entry.cause && sender.get(entry.cause) === entry && caused.get(entry.cause)) || [];
  }
  return story;
}

/** Details of the messages of an entry; `update(entry)` shows them. */
export function messageDetails() {
  const node = el("div", { class: "messages" });
  node.update = ({ arrived, sent }) => {
    const all = [...(arrived ? [{ ...arrived, word: "arrived" }] : []), ...(sent ?? []).map((each) => ({ ...each, word: "sent" }))];
    keyed(node, all, (each) => `${each.topic} ${each.partition} ${each.offset}`, messageRow);
  };
  return node;
}

function messageRow({ word }) {
  const name = el("summary");
  const place = el("p", { class: "hint" });
  const body = el("pre", { tabindex: "0" });
  const node = el("details", { class: "message" }, name, place, body);
  node.update = (message) => {
    const step = word === "sent" && message.step ? `, ${message.step}` : "";
    setText(name, `${word === "sent" ? "" : "because "}${message.status || "a record"} ${word}${step}`);
    setText(place, `${message.eventId}, in ${message.topic}, partition ${message.partition}, offset ${count(message.offset)}, ${moment(message.at)}`);
    setText(body, typeof message.body === "string" ? message.body : JSON.stringify(message.body, null, 2));
  };
  return node;
}

/** Messages that came early, or are kept for a paused service; `update(kept)`. */
export function keptMessages() {
  const list = el("ul", { class: "kept" });
  const node = el("div", { hidden: true }, el("h3", {}, "Kept messages"), list);
  node.update = (kept) => {
    node.hidden = !kept.length;
    keyed(list, kept, (each) => `${each.at} ${each.topic} ${each.status}`, keptRow);
  };
  return node;
}

function keptRow() {
  const name = el("summary");
  const body = el("pre", { tabindex: "0" });
  const node = el("li", {}, el("details", { class: "message" }, name, body));
  node.update = (each) => {
    const why = each.why === "early" ? "came early: no step waits for it yet" : `kept for the pause of ${each.why}`;
    setText(name, `${each.status || "A record"} of ${each.topic}, ${why}, since ${moment(each.at)}`);
    setText(body, typeof each.body === "string" ? each.body : JSON.stringify(each.body, null, 2));
  };
  return node;
}
