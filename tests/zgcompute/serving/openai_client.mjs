// OpenAI's own client against a server: every kind of call, and the errors as its types.
// Arguments: base URL, a base URL that wants a key, base64 of a recording. Prints one JSON line.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { default: OpenAI, toFile } = require("openai");

const [baseURL, lockedURL, recording] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const model = "devnet-chat";
const found = {};

found.models = [];
for await (const card of client.models.list()) found.models.push(card.id);
const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
found.answer = data.choices[0].message.content;
found.verification = response.headers.get("zg-verification");
found.stream = "";
for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
  found.stream += chunk.choices[0].delta.content ?? "";
}
const pictures = await client.images.generate({
  model: "devnet-painter", prompt: "a hill", size: "64x64", response_format: "b64_json",
});
found.picture = pictures.data[0].b64_json;
const picture = await toFile(Buffer.from(found.picture, "base64"), "mine.png", { type: "image/png" });
const edited = await client.images.edit({ model: "devnet-editor", prompt: "warmer", image: picture });
found.edited = edited.data.length;
const sound = await toFile(Buffer.from(recording, "base64"), "talk.wav", { type: "audio/wav" });
found.transcript = (await client.audio.transcriptions.create({ model: "devnet-listener", file: sound })).text;

async function errorOf(call) {
  try {
    await call();
  } catch (error) {
    return [error.constructor.name, error.status, error.code];
  }
  return ["none", 200, null];
}
const ask = (name, to = client) => to.chat.completions.create({ model: name, messages });
found.unknown = await errorOf(() => ask("gpt-4o"));
const stranger = new OpenAI({ baseURL: lockedURL, apiKey: "wrong", maxRetries: 0 });
found.stranger = await errorOf(() => ask(model, stranger));
console.log(JSON.stringify(found));
