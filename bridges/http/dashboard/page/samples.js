// Samples of the last minutes' snapshots: sagas in flight, ended and cancelled.

import { seconds } from "./format.js";

export const WINDOW = 300;
const KEY = "order-sagas.samples";
const SMOOTH = 5;
const SHARE_OVER = 15;

let samples = restored();

/** Add a snapshot. */
export function remember(snapshot) {
  const { sagas } = snapshot;
  const sample = {
    at: seconds(snapshot.at),
    inFlight: snapshot.inFlight,
    completed: sagas.COMPLETED ?? 0,
    cancelled: sagas.CANCELLED ?? 0,
  };
  const last = samples.at(-1);
  if (last && (sample.at <= last.at || ended(sample) < ended(last))) samples = [];
  samples.push(sample);
  const begin = sample.at - WINDOW;
  samples = samples.filter((each) => each.at >= begin);
}

/** Store the samples, so that they survive a reload of the page. */
export function keep() {
  sessionStorage.setItem(KEY, JSON.stringify(samples));
}

function restored() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

const ended = (sample) => sample.completed + sample.cancelled;

/** Seconds covered by the samples. */
export const reach = () => (samples.length ? samples.at(-1).at - samples[0].at : 0);

/** Seconds shown by a sparkline: short at first, so that it fills, then up to `WINDOW`. */
export const span = () => Math.min(WINDOW, Math.max(60, reach()));

/** Sagas in flight, as points `[seconds since the epoch, value]`. */
export const inFlight = () => samples.map((each) => [each.at, each.inFlight]);

/** Sagas ended per second. */
export const throughput = () =>
  over(SMOOTH, (from, to) => (ended(to) - ended(from)) / (to.at - from.at));

/** The share of ended sagas that were cancelled; null if none ended. */
export const failures = () => over(SHARE_OVER, failed);

/** The share of cancelled sagas over all samples. */
export const failuresOverAll = () =>
  samples.length > 1 ? failed(samples[0], samples.at(-1)) : null;

function failed(from, to) {
  const all = ended(to) - ended(from);
  return all > 0 ? (to.cancelled - from.cancelled) / all : null;
}

/** For each sample, the change since the sample about so many seconds earlier. */
function over(span, what) {
  const points = [];
  let first = 0;
  for (let i = 1; i < samples.length; i += 1) {
    while (first < i - 1 && samples[i].at - samples[first].at > span + 0.5) first += 1;
    points.push([samples[i].at, what(samples[first], samples[i])]);
  }
  return points;
}
