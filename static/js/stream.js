// Follows running answers. HTML comes only from our own server, which renders it by an allow-list;
// everything else is text. EventSource reconnects by itself and says what it has (Last-Event-ID);
// where it gives up, because something in between answered (a proxy, while the site restarts), we do.
const following = new Map(); // by the answer's id: its source, and the element that is kept up to date
const LONGEST_WAIT = 30; // seconds between two tries of ours
const MOST = 4; // at once: HTTP/1.1 allows 6 connections to a host, and sending needs some of them

export function followAll() {
  for (const [id, { source, article }] of following)
    if (!article.isConnected) forget(id, source);
  const open = [...document.querySelectorAll("[data-answer][data-stream]")];
  const waiting = open.filter((article) => !following.has(article.id));
  waiting.sort((one, other) => isRunning(other) - isRunning(one)); // a bill and a proof can wait
  for (const article of waiting.slice(0, Math.max(0, MOST - following.size)))
    follow(article.id, article);
  tellBusy();
}

function follow(id, element, tries = 0) {
  const source = new EventSource(element.dataset.stream);
  const followed = { source, article: element, place: "" };
  following.set(id, followed);
  const on = (name, act) =>
    source.addEventListener(name, (event) => {
      followed.place = event.lastEventId;
      if (followed.article.isConnected) act(followed.article, JSON.parse(event.data));
      else followAll(); // this element was made anew, or is gone
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
  source.onopen = () => {
    tries = 0;
    tellLost(followed.article, false);
  };
  source.onerror = () => {
    tellLost(followed.article, true);
    if (source.readyState === EventSource.CLOSED) setTimeout(again, waitBefore(tries));
  };
  const again = () => {
    if (!forget(id, source)) return;
    const { article, place } = followed;
    if (!article.isConnected) return followAll();
    if (place) article.dataset.stream = article.dataset.stream.replace(/after=.*/, `after=${place}`);
    follow(id, article, tries + 1);
  };
}

function waitBefore(tries) {
  return Math.min(LONGEST_WAIT, 2 ** tries) * 1000;
}

function tellLost(article, isLost) {
  const words = part(article, "lost");
  if (words) words.hidden = !isLost;
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
  tellBusy();
  document.dispatchEvent(new CustomEvent("chat:replaced"));
  return fresh;
}

function end(id, source) {
  if (!forget(id, source)) return;
  document.getElementById(id)?.removeAttribute("data-stream");
  followAll();
}

function forget(id, source) {
  source.close();
  return following.get(id)?.source === source && following.delete(id);
}

function isRunning(article) {
  return article.getAttribute("aria-busy") === "true";
}

function tellBusy() {
  for (const turns of document.querySelectorAll("[data-turns]"))
    turns.setAttribute("aria-busy", [...turns.querySelectorAll("[data-answer]")].some(isRunning));
}
