// Drives the official SDK: one chat through its own headers, one with a key that somebody else made.
// Arguments: RPC URL, private key, provider, foreign API key. Prints one JSON line.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { ethers } = require("ethers");
const { createZGComputeNetworkBroker } = require("@0gfoundation/0g-compute-ts-sdk");

const [rpcUrl, privateKey, provider, foreignKey] = process.argv.slice(2);
console.log = console.error; // the SDK prints to standard output, which is ours

const wallet = new ethers.Wallet(privateKey, new ethers.JsonRpcProvider(rpcUrl));
const broker = await createZGComputeNetworkBroker(wallet);
const { endpoint, model } = await broker.inference.getServiceMetadata(provider);

async function chat(headers) {
  const question = "Say hello to the official client";
  const response = await fetch(`${endpoint}/chat/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ model, messages: [{ role: "user", content: question }] }),
  });
  const text = await response.text();
  if (!response.ok) return { status: response.status, text };
  const answer = JSON.parse(text);
  const content = answer.choices[0].message.content;
  const id = response.headers.get("ZG-Res-Key") || answer.id;
  await new Promise((done) => setTimeout(done, 1000)); // signatures appear a moment after the answer
  const isValid = await broker.inference.processResponse(provider, id, JSON.stringify(answer.usage));
  return { status: response.status, content, isValid };
}

const own = await chat(await broker.inference.getRequestHeaders(provider, "hello"));
const foreign = await chat({ Authorization: `Bearer ${foreignKey}` });
process.stdout.write(JSON.stringify({ own, foreign }) + "\n");
process.exit(0);
