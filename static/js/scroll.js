// Stays at the bottom while an answer grows, unless the reader has scrolled up.
const NEAR = 120;
const page = document.scrollingElement;
let isPinned = true;
let isWaiting = false;

function isAtBottom() {
  return page.scrollHeight - page.scrollTop - innerHeight < NEAR;
}

function toBottom() {
  page.scrollTop = page.scrollHeight;
  isPinned = true;
}

function keepUp() {
  if (!isPinned || isWaiting || !document.querySelector("[data-answer]")) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    toBottom();
  });
}

addEventListener("scroll", () => (isPinned = isAtBottom()), { passive: true });
for (const name of ["chat:grown", "chat:replaced", "htmx:afterSettle"])
  document.addEventListener(name, keepUp);
document.addEventListener("chat:sent", toBottom);
if (document.querySelector("[data-answer]") && !location.hash) toBottom();
else isPinned = false; // the address leads to a message
