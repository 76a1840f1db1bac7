// The demo wallet of local networks: an EIP-1193 provider, announced like any other (EIP-6963).
// The development node holds its key; the site passes requests on for this one account.
const url = document.getElementById("wallet").dataset.demoWallet;
const icon =
  "data:image/svg+xml," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#9200e1"/><path d="M8 12h16v11H8zM8 12l10-4v4" fill="none" stroke="#fff" stroke-width="2" stroke-linejoin="round"/></svg>',
  );

async function request({ method, params = [] }) {
  if (method === "wallet_switchEthereumChain") return null;
  if (method === "wallet_getCapabilities") return {};
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  const reply = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ method, params }),
  });
  const { result, error } = await reply.json().catch(() => ({ error: { message: "The site gave no answer." } }));
  if (error) throw Object.assign(new Error(error.message), { code: error.code });
  return result;
}

const detail = Object.freeze({
  info: Object.freeze({
    uuid: "0f6d5f0e-7c4b-4a52-9a52-3f3f60b5f3a1",
    name: "Demo wallet (devnet)",
    icon,
    rdns: "devnet.demo-wallet",
  }),
  provider: Object.freeze({ request, on() {}, removeListener() {} }),
});
const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
addEventListener("eip6963:requestProvider", announce);
announce();
