// Requests to the API. An error is thrown as a Problem with the API's problem details (RFC 9457).

const TOKEN = "order-sagas.token";
const BASE = "api/v1/";

/** Stored in the session storage of this tab. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set(value) {
    if (value) sessionStorage.setItem(TOKEN, value);
    else sessionStorage.removeItem(TOKEN);
  },
};

/** An error response, or a request without a response (`status` 0). */
export class Problem extends Error {
  constructor(status, details) {
    super(details.detail || details.title || `status ${status}`);
    this.status = status;
    this.title = details.title || (status ? `Error ${status}` : "No answer");
    this.detail = details.detail || "";
    this.errors = Array.isArray(details.errors) ? details.errors : [];
  }
}

/** Request headers with the bearer token, if there is one. */
export function headers(more = {}) {
  const given = token.get();
  return given ? { ...more, Authorization: `Bearer ${given}` } : more;
}

/** GET a path with the non-empty parameters, and return its JSON. Throws Problem. */
export async function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  return ask(`${path}${query.size ? `?${query}` : ""}`, { signal });
}

/** POST to a path, and return its JSON. Throws Problem. */
export async function post(path, body) {
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** An id encoded as a part of a path. */
export const part = encodeURIComponent;

async function ask(path, options) {
  let response;
  try {
    response = await fetch(BASE + path, { ...options, headers: headers(options.headers) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server did not answer. It may be stopped, or out of reach." });
  }
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

/** The problem details of an error response. */
export async function problemOf(response) {
  const details = await response.json().catch(() => ({ title: response.statusText }));
  return new Problem(response.status, details ?? {});
}
