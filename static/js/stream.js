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
  on("text", (article, { text }) => append(part(article, "tail"), text));
  on("reasoning", (article, { text }) => {
    part(article, "reasoning").hidden = false;
    append(part(article, "reasoning-text"), text);
  });
  on("grown", (article, { parts, tail, kind }) => {
    add(part(article, "blocks"), parts);
    const rest = part(article, "tail");
    rest.textContent = tail;
    rest.className = `answer__tail answer__tail--${kind}`;
  });
  on("pace", (article, { text }) => {
    const line = part(article, "pace");
    if (line) line.textContent = text;
  });
  on("ended", finish);
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

// A long text is made of pieces: the browser lays out again only the one that it is added to.
const PIECE = 2000; // characters, and up to the end of the line; without one, up to a space
const LONGEST_PIECE = 6000;

function append(element, text) {
  const last = element.lastElementChild ?? element;
  const size = last.lastChild?.length ?? 0;
  const end = size > PIECE ? text.indexOf(size > LONGEST_PIECE ? " " : "\n") + 1 : 0;
  if (end) {
    grow(last, text.slice(0, end));
    const piece = document.createElement("div");
    piece.append(text.slice(end));
    element.append(piece);
  } else grow(last, text);
}

function grow(element, text) {
  if (element.lastChild?.nodeType === Node.TEXT_NODE) element.lastChild.appendData(text);
  else element.append(text);
}

// Adds what is finished at its place: after the last block, instead of it, or at the end of it.
function add(blocks, parts) {
  for (const [place, html] of parts) {
    const last = blocks.lastElementChild;
    if (place === "block") blocks.insertAdjacentHTML("beforeend", html);
    else if (place === "anew") last.outerHTML = html;
    else within(last, place).insertAdjacentHTML("beforeend", html);
  }
}

function within(block, place) {
  if (place === "table") return block.querySelector("table");
  if (place === "rows") return block.querySelector("table").lastElementChild;
  if (place === "code") return block.querySelector("code");
  if (place === "lines") return block.querySelector("code").lastElementChild;
  return block; // a list, for its items
}

// The blocks stay as they are: what follows them was about an answer that is running.
function finish(article, { parts, html }) {
  const blocks = part(article, "blocks");
  add(blocks, parts);
  while (blocks.nextElementSibling) blocks.nextElementSibling.remove();
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = [...template.content.children];
  article.append(template.content);
  article.setAttribute("aria-busy", "false");
  fresh.forEach((element) => htmx.process(element));
  tellReplaced(article);
}

function replace(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild;
  for (const opened of element.querySelectorAll("details[open]"))
    fresh.querySelector(`details.${opened.classList[0]}`)?.setAttribute("open", "");
  element.replaceWith(fresh);
  htmx.process(fresh);
  tellReplaced(fresh);
  return fresh;
}

function tellReplaced(fresh) {
  if (fresh.matches("[data-refresh]") || fresh.querySelector("[data-refresh]"))
    htmx.trigger(document.body, "readiness-changed");
  tellBusy();
  document.dispatchEvent(new CustomEvent("chat:replaced"));
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
