// Follows running answers. HTML comes only from our own server, which renders it by an allow-list;
// everything else is text. EventSource reconnects by itself and says what it has (Last-Event-ID).
const following = new Map(); // by the answer's id: its source, and the element that is kept up to date

export function followAll() {
  for (const article of document.querySelectorAll("[data-answer][data-stream]")) {
    if (following.get(article.id)?.article === article) continue;
    following.get(article.id)?.source.close(); // this element was made anew, at its own place
    follow(article.id, article);
  }
  document.getElementById("turns")?.setAttribute("aria-busy", String(isBusy()));
}

function follow(id, element) {
  const source = new EventSource(element.dataset.stream);
  const followed = { source, article: element };
  following.set(id, followed);
  const on = (name, act) =>
    source.addEventListener(name, (event) => {
      if (followed.article.isConnected) act(followed.article, JSON.parse(event.data));
      else end(id, source);
      document.dispatchEvent(new CustomEvent("chat:grown"));
    });
  on("text", (article, { text, is_code }) => {
    append(part(article, "tail"), text);
    setCode(part(article, "tail"), is_code);
  });
  on("reasoning", (article, { text }) => {
    part(article, "reasoning").hidden = false;
    append(part(article, "reasoning-text"), text);
  });
  on("block", (article, { html, tail, is_code }) => {
    part(article, "blocks").insertAdjacentHTML("beforeend", html);
    part(article, "tail").textContent = tail;
    setCode(part(article, "tail"), is_code);
  });
  on("pace", (article, { text }) => {
    const line = part(article, "pace");
    if (line) line.textContent = text;
  });
  on("answer", (article, { html }) => (followed.article = replace(article, html)));
  on("receipt", (article, { html }) => replace(article.querySelector(".receipt"), html));
  on("done", () => end(id, source));
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) end(id, source);
  };
}

function part(article, name) {
  return article.querySelector(`[data-${name}]`);
}

function append(element, text) {
  if (element?.lastChild?.nodeType === Node.TEXT_NODE) element.lastChild.appendData(text);
  else element?.append(text);
}

function setCode(tail, isCode) {
  tail.classList.toggle("answer__tail--code", isCode);
}

function replace(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild;
  for (const opened of element.querySelectorAll("details[open]"))
    fresh.querySelector(`details.${opened.classList[0]}`)?.setAttribute("open", "");
  element.replaceWith(fresh);
  htmx.process(fresh);
  if (fresh.querySelector("[data-refresh]")) htmx.trigger(document.body, "readiness-changed");
  document.getElementById("turns").setAttribute("aria-busy", String(isBusy()));
  document.dispatchEvent(new CustomEvent("chat:replaced"));
  return fresh;
}

function end(id, source) {
  source.close();
  if (following.get(id)?.source !== source) return;
  following.delete(id);
  document.getElementById(id)?.removeAttribute("data-stream");
}

function isBusy() {
  return document.querySelector('[data-answer][aria-busy="true"]') !== null;
}
