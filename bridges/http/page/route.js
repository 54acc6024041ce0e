// The part of the address behind `#`: which view, of what, with which filters.

/** `#/orders/A%2D1?x=y` as `{view: "orders", id: "A-1", parameters}`. */
export function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/");
  let id = rest.join("/");
  try {
    id = decodeURIComponent(id);
  } catch {
    // Written by hand, with a percent sign in it: taken as it is.
  }
  return { view, id, parameters: new URLSearchParams(query) };
}

/** Change the filters of a view in the address, which shows it again. */
export function filters(view, parameters) {
  const kept = Object.entries(parameters).filter(([, value]) => value);
  const query = new URLSearchParams(kept).toString();
  location.hash = `#/${view}${query ? `?${query}` : ""}`;
}
