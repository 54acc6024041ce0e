// The stream of snapshots. It is read with fetch, because EventSource cannot send a token.

import { headers, Problem, problemOf } from "./api.js";

const PATH = "api/v1/events";
const SILENCE = 6;
/** Seconds between connection attempts: growing, up to a short maximum. */
const PAUSES = [1, 1, 2, 3, 5, 8, 10];

let skew = 0;

/** The server's time in seconds since the epoch; deadlines are compared with it. */
export const now = () => Date.now() / 1000 + skew;

/**
 * Dispatches `snapshot` for each snapshot, and `state` when the connection changes: `connecting`,
 * `live`, `waiting` (to reconnect), `away` (connected, but the database is unavailable), `refused`.
 */
export class Live extends EventTarget {
  snapshot = null;
  state = "connecting";
  problem = null;
  /** Time of the next attempt, in milliseconds as of `Date.now()`. */
  nextAt = 0;
  #failures = 0;
  #abort = null;
  #timer = 0;

  /** Connect, or reconnect immediately. */
  connect() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    this.#become("connecting");
    this.#read(abort.signal).then(
      () => this.#again(abort, null),
      (error) => this.#again(abort, error),
    );
  }

  async #read(signal) {
    const response = await fetch(PATH, {
      headers: headers({ Accept: "text/event-stream" }),
      cache: "no-store",
      signal,
    });
    if (!response.ok) throw await problemOf(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await this.#withinSilence(reader.read());
      if (done) return;
      text += value;
      const events = text.split(/\r?\n\r?\n/);
      text = events.pop();
      if (signal.aborted) return;
      events.forEach((event) => this.#take(event));
    }
  }

  #withinSilence(reading) {
    const silence = new Promise((_, reject) => {
      const timer = setTimeout(() => reject(new Error("silent")), SILENCE * 1000);
      reading.finally(() => clearTimeout(timer)).catch(() => {});
    });
    return Promise.race([reading, silence]);
  }

  #take(event) {
    const lines = event.split(/\r?\n/);
    const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
    if (!data.length) {
      if (event.startsWith(":")) this.#become("away");
      return;
    }
    this.snapshot = JSON.parse(data.join("\n"));
    this.#failures = 0;
    skew = Date.parse(this.snapshot.at) / 1000 - Date.now() / 1000;
    this.#become("live");
    this.dispatchEvent(new Event("snapshot"));
  }

  #again(abort, error) {
    if (abort !== this.#abort) return;
    abort.abort();
    this.problem = error instanceof Problem ? error : null;
    if (this.problem && [401, 403].includes(this.problem.status)) {
      this.#become("refused");
      return;
    }
    const pause = PAUSES[Math.min(this.#failures++, PAUSES.length - 1)];
    this.nextAt = Date.now() + pause * 1000;
    this.#timer = setTimeout(() => this.connect(), pause * 1000);
    this.#become("waiting");
  }

  #become(state) {
    // A retry keeps the state `waiting`, so that the displayed state does not flicker.
    if (state === "connecting" && this.state !== "refused" && this.#failures) return;
    if (state === this.state && state !== "refused") return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

export const live = new Live();
