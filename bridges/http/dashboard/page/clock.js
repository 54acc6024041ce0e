// A function that is called every second while a view is shown.

/** Call `what` now and every second. Returns a function that ends it. */
export function everySecond(what) {
  what();
  const timer = setInterval(what, 1000);
  return () => clearInterval(timer);
}
