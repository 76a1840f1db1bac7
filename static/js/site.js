// What every page needs: theme, menus, copy buttons, and a word when the server cannot be reached.
import { toast } from "./toast.js";

const root = document.documentElement;

function currentTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  return root.dataset.theme || system;
}

function toggleTheme() {
  root.dataset.theme = currentTheme() === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}

async function copy(button) {
  const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  try {
    await navigator.clipboard.writeText(source ? source.textContent : button.dataset.copy);
    toast("Copied");
  } catch {
    toast("The browser did not allow copying. Select the text and copy it by hand.");
  }
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-theme-toggle], [data-copy], [data-copy-from]");
  if (target?.matches("[data-theme-toggle]")) toggleTheme();
  else if (target) copy(target);
  for (const menu of document.querySelectorAll("[data-menu][open]"))
    if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("htmx:sendError", () =>
  toast("The site cannot be reached. Nothing was sent; try again."),
);
