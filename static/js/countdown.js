// Keeps the time left in every <time data-countdown> current; when one is over the page looks again.
// data-countdown is the server's present, so that a wrong clock of this computer does not matter.
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const skews = new WeakMap();

function secondsLeft(time) {
  if (!skews.has(time)) skews.set(time, new Date(time.dataset.countdown) - Date.now());
  return Math.ceil((new Date(time.dateTime) - Date.now() - skews.get(time)) / 1000);
}

const counted = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;

function words(seconds) {
  const at = UNITS.findIndex(([, size]) => seconds >= size);
  const [[name, size], finer] = [UNITS[at], UNITS[at + 1]];
  const rest = finer ? Math.floor((seconds % size) / finer[1]) : 0;
  const first = counted(Math.floor(seconds / size), name);
  return rest ? `${first} ${counted(rest, finer[0])}` : first;
}

function tick() {
  for (const time of document.querySelectorAll("time[data-countdown]")) {
    const seconds = secondsLeft(time);
    if (seconds > 0) time.textContent = words(seconds);
    else if (!time.hasAttribute("data-over")) over(time);
  }
}

function over(time) {
  time.setAttribute("data-over", "");
  time.textContent = "a moment";
  document.body.dispatchEvent(new Event("readiness-changed"));
}

tick();
setInterval(tick, 1000);
