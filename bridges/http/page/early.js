// Runs before the first paint, so that a chosen theme never flashes.
"use strict";
{
  const theme = localStorage.getItem("order-sagas.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
