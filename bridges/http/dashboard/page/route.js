// The route after `#` in the address: view, id and filters.

/** `#/orders/A%2D1?x=y` as `{view: "orders", id: "A-1", parameters}`. */
export function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/");
  let id = rest.join("/");
  try {
    id = decodeURIComponent(id);
  } catch {
    // Not valid percent-encoding, typed by hand: used unchanged.
  }
  return { view, id, parameters: new URLSearchParams(query) };
}

/** Set the filters of a view in the address, which renders the view again. */
export function filters(view, parameters) {
  const kept = Object.entries(parameters).filter(([, value]) => value);
  const query = new URLSearchParams(kept).toString();
  location.hash = `#/${view}${query ? `?${query}` : ""}`;
}
