// Offers to wallets that can carry out several calls as one (EIP-5792), and asks them what became
// of a batch: its page cannot know which transaction the wallet made of it.
import { batchStatus, canBatch } from "./wallet.js";

const EVERY_MS = 2000;
const watched = new WeakSet();

async function offer() {
  const offers = document.querySelectorAll("[data-wallet-batches][hidden]");
  if (!offers.length || !(await canBatch())) return;
  for (const element of offers) element.hidden = false;
}

async function watch(form) {
  watched.add(form);
  while (form.isConnected) {
    const { status, receipts } = await batchStatus(form.dataset.walletBatchStatus, form.dataset.address).catch(() => ({}));
    const hash = receipts?.at(-1)?.transactionHash;
    if (status >= 200 && (hash || status >= 400)) return report(form, hash);
    await new Promise((wait) => setTimeout(wait, EVERY_MS));
  }
}

function report(form, hash) {
  form.elements.hash.value = hash ?? "";
  form.elements.failed.value = hash ? "" : "1";
  form.requestSubmit();
}

function look() {
  offer();
  for (const form of document.querySelectorAll("form[data-wallet-batch-status]")) if (!watched.has(form)) watch(form);
}

look();
document.addEventListener("htmx:afterSettle", look);
addEventListener("wallet-known", look);
