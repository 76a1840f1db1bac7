// What every page needs: theme, menus, copy buttons, local times, and a word when the site is away.

// A short message that goes away by itself and is read out by screen readers.
export function toast(text) {
  const item = document.createElement("p");
  item.className = "toast";
  item.textContent = text;
  document.getElementById("toasts").append(item);
  setTimeout(() => item.remove(), 6000);
}

const root = document.documentElement;

function currentTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  return root.dataset.theme || system;
}

function toggleTheme() {
  root.dataset.theme = currentTheme() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    toast("This browser keeps no storage: the theme lasts until the page is left.");
  }
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

// Where the text is not on the page: without a script the link saves it as a file.
async function copyFile(event, link) {
  event.preventDefault();
  let problem = "The browser did not allow copying. Select the text and copy it by hand.";
  const text = async () => {
    const reply = await fetch(link.href).catch(() => ({}));
    if (!reply.ok) throw new Error(problem = "The text could not be fetched from the site. Try again.");
    return new Blob([await reply.text()], { type: "text/plain" });
  };
  try {
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": text() })]);
    toast("Copied");
  } catch {
    toast(problem);
  }
}

// The server writes UTC; the reader's own clock is shown where there is one.
function showLocalTimes(scope) {
  for (const time of scope.querySelectorAll("time[data-clock]")) {
    const when = new Date(time.dateTime);
    const today = when.toDateString() === new Date().toDateString();
    const day = today ? {} : { day: "numeric", month: "short" };
    time.textContent = when.toLocaleString("en-GB", { hour: "2-digit", minute: "2-digit", ...day });
    time.title = when.toString();
  }
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll("[data-menu][open]"))
    if (!menu.contains(event.target)) menu.open = false;
}

// Ticks outlive the entries that a search replaces: they wait in the form that they belong to.
function keepTicks({ detail }) {
  if (!detail.shouldSwap) return;
  for (const box of detail.target.querySelectorAll("input[form]:checked"))
    document.querySelector(`#${box.getAttribute("form")} [data-ticks]`)?.append(box.closest("label"));
}

function returnTicks() {
  for (const kept of document.querySelectorAll("[data-ticks] input")) {
    const box = document.querySelector(`main li input[value="${kept.value}"], main tr input[value="${kept.value}"]`);
    if (!box) continue;
    box.checked = true;
    kept.closest("label").remove();
  }
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-theme-toggle], [data-copy], [data-copy-from], [data-copy-file]");
  if (target?.matches("[data-theme-toggle]")) toggleTheme();
  else if (target?.matches("[data-copy-file]")) copyFile(event, target);
  else if (target) copy(target);
  closeMenus(event);
});

document.addEventListener("focusin", closeMenus);

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("htmx:beforeSwap", keepTicks);

document.addEventListener("htmx:afterSwap", returnTicks);

document.addEventListener("htmx:afterSettle", (event) => showLocalTimes(event.target));

for (const name of ["htmx:historyRestore", "chat:replaced"])
  document.addEventListener(name, () => showLocalTimes(document));

document.addEventListener("htmx:sendError", (event) => {
  if (event.target.closest("[data-background]")) return;
  const hash = event.target.elements?.hash?.value; // of a transaction that the wallet has sent
  if (hash) toast("Your wallet has sent it, but the site cannot be reached. Press the button again to report it.");
  else toast("The site cannot be reached. Nothing was sent; try again.");
});

showLocalTimes(document);
