// The composer: Enter sends, it grows with its text, and keeps the text until the server has it.
import { forget, keep, kept } from "./kept.js";

// A refusal (422) is shown in the page, which counts as a success to htmx; nothing was taken then.
export const isTaken = ({ successful, xhr }) => successful && xhr.status !== 422;

const isRunning = () => document.querySelector("[data-stop]") !== null;

function grow(field) {
  field.rows = 1;
  const line = parseFloat(getComputedStyle(field).lineHeight);
  field.rows = Math.max(1, Math.min(12, Math.floor(field.scrollHeight / line)));
}

document.addEventListener("input", (event) => {
  if (!event.target.matches(".composer__text")) return;
  grow(event.target);
  const form = event.target.form;
  if (form.dataset.draft) keep(draftOf(form), event.target.value);
});

// What was written and not sent comes back after a reload, and when a missing step is done.
function draftOf(form) {
  return `draft ${form.dataset.draft}`;
}

function bringDraftBack() {
  const form = document.querySelector("[data-draft]");
  const field = form?.querySelector(".composer__text");
  const draft = form && kept(draftOf(form));
  if (!draft || field.value) return;
  field.value = draft;
  grow(field);
}

// The first question's form leaves its page; that it was sent is seen on the next one.
function forgetSentStart() {
  const form = document.querySelector("[data-draft][data-start-draft]");
  const first = document.querySelector(".question__text")?.textContent;
  if (form && first && kept(`draft ${form.dataset.startDraft}`)?.trim() === first.trim())
    forget(`draft ${form.dataset.startDraft}`);
}

document.addEventListener("htmx:afterSettle", bringDraftBack);
forgetSentStart();
bringDraftBack();

document.addEventListener("keydown", (event) => {
  if (!event.target.matches(".composer__text") || event.key !== "Enter") return;
  if (event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!isRunning() && event.target.value.trim()) event.target.form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.closest(".edit")?.querySelector("[data-cancel]").click();
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-composer]")) return;
  if (event.target.dataset.sending) event.preventDefault();
  else if (!event.target.hasAttribute("hx-post")) event.target.dataset.sending = "true";
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.matches("[data-composer]")) setSending(event.target, true);
});

document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target;
  if (!form.matches("[data-composer]")) return;
  setSending(form, false);
  if (!isTaken(event.detail)) return;
  const field = form.querySelector(".composer__text");
  field.value = "";
  grow(field);
  forget(draftOf(form));
  document.dispatchEvent(new CustomEvent("chat:sent"));
});

// Other ways to ask (again, in other words, go on) show a branch whose end is the new answer.
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.target.matches("[data-asks]") && isTaken(event.detail))
    document.dispatchEvent(new CustomEvent("chat:sent"));
});

document.addEventListener("chat:sent", () => {
  document.getElementById("composer-problem")?.replaceChildren();
});

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-stops]")) return;
  document.querySelectorAll("[data-stop]").forEach((form) => form.requestSubmit());
  document.getElementById("question").focus();
});

addEventListener("pageshow", () => {
  document.querySelectorAll("[data-composer]").forEach((form) => delete form.dataset.sending);
});

function setSending(form, sending) {
  form.querySelector(".composer__send").disabled = sending;
}

// "Send again" after a refusal that names a time: the button counts it down.
function countDown(button) {
  let left = Number(button.dataset.wait);
  const label = button.lastChild;
  const text = label.textContent;
  button.removeAttribute("data-wait");
  const tick = () => {
    button.disabled = left > 0;
    label.textContent = left > 0 ? ` Send again in ${left} s` : text;
    if (left-- > 0) setTimeout(tick, 1000);
  };
  tick();
}

function countDownAll() {
  document.querySelectorAll("button[data-wait]").forEach(countDown);
}

for (const name of ["chat:replaced", "htmx:afterSettle"])
  document.addEventListener(name, countDownAll);
countDownAll();
if (matchMedia("(pointer: fine)").matches)
  document.querySelector(".composer__text")?.focus({ preventScroll: true });
