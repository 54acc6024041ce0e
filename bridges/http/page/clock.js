// Something that is done every second while a view is shown.

/** Call `what` now and every second; answers how to end that. */
export function everySecond(what) {
  what();
  const timer = setInterval(what, 1000);
  return () => clearInterval(timer);
}
