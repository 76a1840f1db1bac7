// Columns side by side: where one fills the screen, its entry above is the current one, and leads to it.
const columns = () => document.getElementById("beside");
const entries = () => document.querySelectorAll(".standing[data-column]");
let shown = "column-1";

function mark() {
  for (const entry of entries()) {
    if (entry.dataset.column === shown) entry.setAttribute("aria-current", "true");
    else entry.removeAttribute("aria-current");
  }
}

const watch = new IntersectionObserver(
  (seen) => {
    const now = seen.filter((one) => one.isIntersecting).at(-1);
    if (!now) return;
    shown = now.target.id;
    mark();
  },
  { threshold: 0.6, rootMargin: "100000px 0px" }, // tall columns count by their width
);

function watchAll() {
  watch.disconnect();
  const area = columns();
  if (!area) return;
  const narrow = area.scrollWidth > area.clientWidth;
  if (narrow) for (const column of area.children) watch.observe(column);
  mark();
}

document.addEventListener("click", (event) => {
  const entry = event.target.closest(".standing[data-column]");
  const column = entry && document.getElementById(entry.dataset.column);
  if (!column) return;
  event.preventDefault();
  column.parentElement.scrollTo({ left: column.offsetLeft, behavior: "smooth" });
  shown = column.id;
  mark();
});

document.addEventListener("htmx:afterSettle", watchAll);
watchAll();
