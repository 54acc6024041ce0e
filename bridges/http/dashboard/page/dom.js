// Creates elements. Data is inserted as text or attributes, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Attributes named `on...` are listeners; null and false omit an attribute. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, with attributes as in the function above. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Set the text only if it differs: an unchanged node keeps the user's selection. */
export function setText(node, text) {
  const wanted = String(text ?? "");
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Set an attribute, or remove it if the value is null or false. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/**
 * Make the children of `parent` match `items`, in order. The node of a key is reused, so that focus
 * and selection survive; `make(item)` creates a node with an `update(item)`.
 */
export function keyed(parent, items, keyOf, make) {
  const keys = items.map((item) => String(keyOf(item)));
  const wanted = new Set(keys);
  const nodes = new Map();
  for (const node of [...parent.children]) {
    if (wanted.has(node.dataset.key) && !nodes.has(node.dataset.key)) {
      nodes.set(node.dataset.key, node);
    } else {
      leave(node, parent);
    }
  }
  items.forEach((item, place) => {
    let node = nodes.get(keys[place]);
    if (!node) {
      node = make(item);
      node.dataset.key = keys[place];
      nodes.set(keys[place], node);
    }
    node.update?.(item);
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
  });
}

/** If the focus is in a row that is removed, move it to the heading instead of the page's top. */
function leave(node, parent) {
  const focused = node.contains(document.activeElement);
  node.remove();
  if (focused) parent.closest("section")?.querySelector("h2, h1")?.focus();
}

/** A focusable heading. */
export function heading(level, ...children) {
  return el(`h${level}`, { tabindex: "-1" }, ...children);
}
