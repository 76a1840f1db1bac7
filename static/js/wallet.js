// The only module that talks to a wallet: found by EIP-6963, window.ethereum as the fallback.
import { keep, kept } from "./kept.js";

const found = new Map();
const UNANNOUNCED = "ethereum"; // stands for a wallet that is only there as window.ethereum
let current = null;

export class WalletProblem extends Error {}

const page = () => document.getElementById("wallet").dataset;
const same = (a, b) => String(a).toLowerCase() === String(b).toLowerCase();
const short = (address) => `${address.slice(0, 6)}…${address.slice(-4)}`;
const call = (method, params = []) => current.request({ method, params });

addEventListener("eip6963:announceProvider", ({ detail }) => {
  if (!detail?.info?.rdns || !detail.provider) return;
  found.set(detail.info.rdns, detail);
  if (!current && page().address && detail.info.rdns === kept("wallet")) reconnect(detail);
});
dispatchEvent(new Event("eip6963:requestProvider"));
if (!current && page().address && window.ethereum && kept("wallet") === UNANNOUNCED) reconnect(unannounced());

function unannounced() {
  return { info: { name: "Browser wallet", rdns: UNANNOUNCED }, provider: window.ethereum };
}

async function reconnect(choice) {
  use(choice);
  accountsChanged(await call("eth_accounts").catch(() => []));
}

function use({ info, provider }) {
  current?.removeListener?.("accountsChanged", accountsChanged);
  current?.removeListener?.("chainChanged", chainChanged);
  current = provider;
  keep("wallet", info.rdns);
  current.on?.("accountsChanged", accountsChanged);
  current.on?.("chainChanged", chainChanged);
  dispatchEvent(new Event("wallet-known"));
}

// Another account in the wallet is another person: the page says so and signs the old one out.
function accountsChanged([account]) {
  const form = document.querySelector("form[data-sign-out]");
  if (!form || !account || same(account, page().address)) return;
  form.elements.reason.value = "switched";
  form.submit();
}

function chainChanged(chainId) {
  const note = document.querySelector("[data-other-chain]");
  if (note) note.hidden = BigInt(chainId) === BigInt(JSON.parse(page().chain).chainId);
}

function pick() {
  const choices = [...found.values()];
  if (!choices.length && window.ethereum) choices.push(unannounced());
  return choices.length === 1 ? choices[0] : ask(choices);
}

function ask(choices) {
  const dialog = document.getElementById("wallet-picker");
  const list = dialog.querySelector("[data-wallets]");
  dialog.classList.toggle("has-wallets", choices.length > 0);
  list.replaceChildren(...choices.map((choice, number) => entry(dialog, choice, number)));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.onclose = () => {
      const choice = choices[Number.parseInt(dialog.returnValue, 10)];
      if (choice) resolve(choice);
      else reject(new WalletProblem("No wallet was chosen. Nothing changed."));
    };
  });
}

function entry(dialog, { info }, number) {
  const item = dialog.querySelector("template").content.cloneNode(true);
  item.querySelector("button").value = number;
  item.querySelector("span").textContent = info.name;
  if (info.icon?.startsWith("data:image/")) item.querySelector("img").src = info.icon;
  else item.querySelector("img").remove();
  return item;
}

export async function connect() {
  use(await pick());
  return (await call("eth_requestAccounts"))[0];
}

async function ready(address) {
  if (!current) use(await pick());
  let [account] = await call("eth_accounts");
  if (!account) [account] = await call("eth_requestAccounts");
  if (same(account, address)) return;
  throw new WalletProblem(
    `The wallet is on ${short(account)}, this page on ${short(address)}. Switch the account in the wallet.`,
  );
}

async function ensureChain() {
  const chain = JSON.parse(page().chain);
  const isHere = async () => BigInt(await call("eth_chainId")) === BigInt(chain.chainId);
  if (await isHere()) return;
  try {
    await call("wallet_switchEthereumChain", [{ chainId: chain.chainId }]);
  } catch (error) {
    if ((error.data?.originalError?.code ?? error.code) !== 4902) throw error;
    if (!chain.rpcUrls.length) throw new WalletProblem(`Add ${chain.chainName} to the wallet first.`);
    await call("wallet_addEthereumChain", [chain]);
  }
  if (!(await isHere())) throw new WalletProblem(`The wallet is not on ${chain.chainName}.`);
}

export async function sign(hex, address) {
  await ready(address);
  return call("personal_sign", [hex, address]);
}

export async function send(transaction, address) {
  await ready(address);
  await ensureChain();
  await ready(address);
  return call("eth_sendTransaction", [{ ...transaction, from: address }]);
}

// Whether the connected wallet carries out several calls as one here (EIP-5792). Never a prompt.
export async function canBatch() {
  const { address, chain } = page();
  if (!current || !address) return false;
  const { chainId } = JSON.parse(chain);
  const known = await call("wallet_getCapabilities", [address, [chainId]]).catch(() => null);
  return ["supported", "ready"].includes(known?.[chainId]?.atomic?.status);
}

export async function sendBatch(calls, address, chainId) {
  await ready(address);
  await ensureChain();
  await ready(address);
  const batch = { version: "2.0.0", from: address, chainId, atomicRequired: true, calls };
  return (await call("wallet_sendCalls", [batch])).id;
}

export async function batchStatus(id, address) {
  await ready(address);
  return call("wallet_getCallsStatus", [id]);
}
