// Formats numbers and times for display.

const whole = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

/** 12,345 */
export const count = (number) => whole.format(number ?? 0);

/** A count with its noun: `1 order`, `2 orders`. */
export const many = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A rate per second; the smaller, the more digits. */
export function rate(number) {
  if (number === null) return "–";
  if (number >= 100) return count(Math.round(number));
  return number >= 10 || number === 0 ? number.toFixed(0) : number.toFixed(1);
}

/** A share in percent; a dash if the total is zero. */
export function percent(share) {
  if (share === null) return "–";
  const value = share * 100;
  return `${value > 0 && value < 10 ? value.toFixed(1) : value.toFixed(0)} %`;
}

/** A duration, rounded for reading: `42 ms`, `1.25 s`, `4 min 10 s`, `2 h 5 min`. */
export function duration(seconds) {
  if (seconds < 0.9995) {
    const ms = seconds * 1000;
    return `${ms >= 10 ? ms.toFixed(0) : Number(ms.toPrecision(2))} ms`;
  }
  if (seconds < 59.995) return `${Number(seconds.toFixed(2))} s`;
  return roughly(seconds);
}

/** A duration with two or three digits, down to microseconds: `12 µs`, `1.5 ms`, `3 d 2 h`. */
export function fine(seconds) {
  if (seconds === 0) return "0";
  if (seconds < 0.000995) return `${Number((seconds * 1e6).toPrecision(3))} µs`;
  if (seconds < 0.9995) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  return duration(seconds);
}

/** A duration in whole seconds, for countdowns. */
export function roughly(seconds) {
  const total = Math.max(0, Math.round(seconds));
  if (total < 60) return `${total} s`;
  if (total < 3600) return two(Math.floor(total / 60), "min", total % 60, "s");
  if (total < 86400) return two(Math.floor(total / 3600), "h", Math.floor((total % 3600) / 60), "min");
  return two(Math.floor(total / 86400), "d", Math.floor((total % 86400) / 3600), "h");
}

function two(large, largeUnit, small, smallUnit) {
  return `${large} ${largeUnit}` + (small ? ` ${small} ${smallUnit}` : "");
}

/** An ISO 8601 time as seconds since the epoch. */
export const seconds = (text) => Date.parse(text) / 1000;

/** The time of day, with the date unless that is today. */
export function moment(text) {
  if (!text) return "";
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  return today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
}

/** The full date and time, for a tooltip. */
export const fullMoment = (text) => (text ? full.format(new Date(text)) : "");

/** `NEEDS_ATTENTION` as `needs attention`. */
export const words = (name) => String(name ?? "").toLowerCase().replaceAll("_", " ");
