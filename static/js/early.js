// What cannot wait for the modules. Runs before the first paint, so that a chosen theme never flashes.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps no storage follows the system's theme.
}

// A form that needs the wallet, sent before the wallet's module is here, waits for it.
let early = null;
addEventListener("submit", hold, true);
addEventListener("DOMContentLoaded", () => {
  removeEventListener("submit", hold, true);
  early?.requestSubmit();
});

function hold(event) {
  if (!Object.keys(event.target.dataset).some((name) => name.startsWith("wallet"))) return;
  event.preventDefault();
  event.stopPropagation();
  early = event.target;
}
