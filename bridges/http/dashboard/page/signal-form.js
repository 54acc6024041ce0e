// The form of a signal that a saga waits for, made from the JSON Schema of the message.

import { part, post } from "./api.js";
import { caller } from "./caller.js";
import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { say } from "./toasts.js";

/** A button that opens the form of a signal; `done()` is called when it is sent. */
export function signalButton(saga, signal, done) {
  const text = `Send ${signal.message}`;
  return el("button", { type: "button", class: "small act", onclick: () => open(saga, signal, done) }, text);
}

function open(saga, { message, outcome, schema }, done) {
  const fields = Object.entries(schema.properties ?? {}).map(([name, each]) =>
    fieldOf(name, resolved(each, schema), (schema.required ?? []).includes(name)));
  openDialog({
    title: `Send ${message}`,
    text: outcome === "failed" ? "The step fails with it." : "The saga continues with it.",
    danger: outcome === "failed",
    submit: "Send",
    fields: [
      el("p", { class: "about" }, el("code", {}, saga.sagaId)),
      ...fields.flatMap((field) => field.nodes),
      fields.length ? "" : el("p", { class: "hint" }, "It has no fields."),
      el("p", { class: "hint" }, caller.remark),
    ],
    async send() {
      const given = fields.map((field) => [field.name, field.read()]).filter(([, value]) => value !== undefined);
      await post(`sagas/${part(saga.sagaId)}/signals/${part(message)}`, Object.fromEntries(given));
      say(`${message}: sent.`);
      done();
    },
  });
}

/** The schema without references; of alternatives, the first that is not null. */
function resolved(schema, whole) {
  const name = schema.$ref?.replace("#/$defs/", "");
  if (name) return resolved(whole.$defs?.[name] ?? {}, whole);
  const one = schema.anyOf?.find((each) => each.type !== "null");
  return one ? { ...resolved(one, whole), default: schema.default } : schema;
}

/** `{name, nodes, read()}`: `read` returns the value, undefined if empty. Throws for invalid JSON. */
function fieldOf(name, schema, required) {
  const id = `field-${name}`;
  const input = inputOf(schema, { id, name, required, "aria-describedby": schema.description ? `${id}-help` : null });
  const label = el("label", { for: id }, title(name), required ? null : el("span", { class: "muted" }, " (optional)"));
  const help = schema.description ? el("p", { class: "hint", id: `${id}-help` }, schema.description) : "";
  return { name, nodes: [label, input, help], read: () => value(name, input, schema) };
}

function inputOf({ enum: choices, type, minimum, maximum, maxLength, default: usual }, attributes) {
  if (choices) {
    return el("select", attributes, attributes.required ? null : el("option", { value: "" }, ""), choices.map((each) => el("option", { selected: each === usual }, String(each))));
  }
  if (type === "boolean") return el("input", { ...attributes, type: "checkbox", checked: usual === true, required: false });
  if (type === "integer" || type === "number") {
    return el("input", { ...attributes, type: "number", min: minimum, max: maximum, step: type === "integer" ? 1 : "any", value: usual });
  }
  if (type === "string") return el("input", { ...attributes, type: "text", maxlength: maxLength, value: usual });
  return el("textarea", { ...attributes, rows: 4, placeholder: "JSON" });
}

function value(name, input, { enum: choices, type }) {
  if (input.type === "checkbox") return input.checked;
  if (input.value === "") {
    if (input.validity.badInput) throw new Error(`${title(name)} has to be a number.`);
    return undefined;
  }
  if (choices) return choices.find((each) => String(each) === input.value);
  if (input.type === "number") return Number(input.value);
  if (type === "string") return input.value;
  try {
    return JSON.parse(input.value);
  } catch {
    throw new Error(`${title(name)} has to be JSON.`);
  }
}

/** `byWhom` as `By whom`. */
const title = (name) => {
  const spaced = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return spaced[0].toUpperCase() + spaced.slice(1);
};
