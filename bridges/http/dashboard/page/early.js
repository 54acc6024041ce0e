// Sets the chosen theme before the first paint, so that the other one does not flash.
"use strict";
{
  const theme = localStorage.getItem("order-sagas.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
