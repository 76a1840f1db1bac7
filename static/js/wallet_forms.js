// Forms that need the wallet: ask it first, put its answer in the form, then let the form go.
import { keep, kept } from "./kept.js";
import { toast } from "./site.js";
import { WalletProblem, connect, send, sendBatch, sign } from "./wallet.js";

const DECLINED = new Set([4001, "ACTION_REJECTED"]);
const actions = {
  walletConnect: { field: "address", ask: () => connect() },
  walletSign: { field: "signature", ask: (form) => sign(form.dataset.walletSign, form.dataset.address) },
  walletSend: { field: "hash", ask: sendOnce },
  walletBatch: { field: "batch_id", ask: sendBatchOnce },
};

// What the wallet answered is kept: the next try, here or in another tab, reports it and never
// sends again. Of two tabs that ask at the same time only one gets to the wallet.
function sendOnce(form) {
  return once(form, () => send(JSON.parse(form.dataset.call), form.dataset.address));
}

function sendBatchOnce(form) {
  return once(form, () => sendBatch(JSON.parse(form.dataset.calls), form.dataset.address, form.dataset.chainId));
}

function once(form, ask) {
  const key = `sent:${form.getAttribute("action")}`;
  return alone(key, async () => {
    const answer = kept(key) ?? (await ask());
    keep(key, answer);
    return answer;
  });
}

function alone(name, ask) {
  if (!navigator.locks) return ask();
  return navigator.locks.request(name, { ifAvailable: true }, (lock) => {
    if (lock) return ask();
    throw new WalletProblem("Another tab is asking your wallet for this already. Answer it there.");
  });
}

function words(error) {
  if (error instanceof WalletProblem) return error.message;
  if (DECLINED.has(error?.code)) return "You declined in the wallet. Nothing was sent and nothing changed.";
  if (error?.code === -32002) return "The wallet already has a question open. Answer it there first.";
  return `The wallet could not do it: ${String(error?.message ?? error).slice(0, 200)}`;
}

// Beside the button where there is room for words (a toast is behind an open dialog).
function say(form, text) {
  const place = form.querySelector("[data-wallet-words]");
  if (!place) return text && toast(text);
  place.textContent = text;
  if (text) requestAnimationFrame(() => place.scrollIntoView({ block: "nearest" }));
}

document.addEventListener("htmx:confirm", async (event) => {
  const form = event.target;
  const action = actions[Object.keys(actions).find((name) => name in form.dataset)];
  if (!action) return;
  event.preventDefault();
  if (form.getAttribute("aria-busy") === "true") return;
  form.setAttribute("aria-busy", "true");
  say(form, "");
  try {
    form.elements[action.field].value = await action.ask(form);
  } catch (error) {
    say(form, words(error));
    if (!form.elements.declined || !DECLINED.has(error?.code)) return;
    form.elements.declined.value = "1";
  } finally {
    form.removeAttribute("aria-busy");
  }
  event.detail.issueRequest(true);
});

document.addEventListener("htmx:afterSwap", ({ target }) => {
  const dialog = target.closest?.("dialog");
  if (dialog && !dialog.open) dialog.showModal();
});
