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

const WHO = "order-sagas.who";

/** The operator's name where there are no tokens; stored in this browser. */
export const who = {
  get: () => localStorage.getItem(WHO) ?? "",
  set: (name) => localStorage.setItem(WHO, name),
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
  const name = who.get();
  return ask(path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-Client": "page",
      // A header has no characters beyond Latin-1. With a token, the server takes its name.
      ...(name && { "X-Operator": encodeURIComponent(name) }),
    },
    body: JSON.stringify(body),
  });
}

/** GET a path, and save the answer as a file. Throws Problem. */
export async function download(path, parameters, name) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  const response = await request(`${path}?${query}`, {});
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** An id encoded as a part of a path. */
export const part = encodeURIComponent;

async function ask(path, options) {
  return (await request(path, options)).json();
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(BASE + path, { ...options, headers: headers(options.headers) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server did not answer. It may be stopped, or out of reach." });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** The problem details of an error response. */
export async function problemOf(response) {
  const details = await response.json().catch(() => ({ title: response.statusText }));
  return new Problem(response.status, details ?? {});
}
