// A conversation's page: follow running answers, send by keyboard, stay at the bottom, copy code.
import "./attach.js";
import "./beside.js";
import "./composer.js";
import "./scroll.js";
import { followAll } from "./stream.js";
import { toast } from "./site.js";

followAll();
document.addEventListener("htmx:afterSettle", followAll);

// The list of conversations is by day: by the days of this clock.
document.cookie = `minutes_east=${-new Date().getTimezoneOffset()}; path=/; max-age=31536000; samesite=lax`;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-code]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.closest(".code").querySelector("pre").textContent);
    toast("Copied");
  } catch {
    toast("The browser did not allow copying. Select the text and copy it by hand.");
  }
});
