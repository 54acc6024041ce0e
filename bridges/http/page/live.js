// The stream of snapshots. It is read with fetch, because EventSource can send no token.

import { headers, Problem, problemOf } from "./api.js";

const PATH = "api/v1/events";
const SILENCE = 6;
/** Seconds between attempts: more and more of them, and never a long wait. */
const PAUSES = [1, 1, 2, 3, 5, 8, 10];

let skew = 0;

/** The server's time, in seconds since the epoch: deadlines are its own. */
export const now = () => Date.now() / 1000 + skew;

/**
 * Tells `snapshot` for each snapshot, and `state` when the stream comes or goes: `connecting`,
 * `live`, `waiting` (to connect again), `away` (connected, but the database is not), `refused`.
 */
export class Live extends EventTarget {
  snapshot = null;
  state = "connecting";
  problem = null;
  /** When the next attempt is made, in milliseconds of `Date.now()`. */
  nextAt = 0;
  #failures = 0;
  #abort = null;
  #timer = 0;

  /** Connect, or connect again at once. */
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
    // One who tries again is still not live: what people read shall not flicker.
    if (state === "connecting" && this.state !== "refused" && this.#failures) return;
    if (state === this.state && state !== "refused") return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

export const live = new Live();
