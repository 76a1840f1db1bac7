// Columns side by side: where one fills the screen, its entry above is the current one, and leads to it.
const entries = () => document.querySelectorAll(".standing[data-column]");

function mark() {
  const area = document.getElementById("beside");
  const isNarrow = area && area.scrollWidth > area.clientWidth;
  const shown = isNarrow ? Math.round((area.scrollLeft / area.scrollWidth) * area.children.length) : -1;
  entries().forEach((entry, place) => {
    if (place === shown) entry.setAttribute("aria-current", "true");
    else entry.removeAttribute("aria-current");
  });
}

function show(column, entry) {
  column.parentElement.scrollTo({ left: column.offsetLeft });
  const head = entry.closest(".standings").getBoundingClientRect();
  const isAbove = column.lastElementChild.getBoundingClientRect().bottom < head.bottom;
  if (isAbove) scrollBy(0, column.getBoundingClientRect().top - head.height); // it is a short one
}

document.addEventListener("click", (event) => {
  const entry = event.target.closest(".standing[data-column]");
  const column = entry && document.getElementById(entry.dataset.column);
  if (!column) return;
  event.preventDefault();
  show(column, entry);
});

document.addEventListener("scroll", (event) => event.target.id === "beside" && mark(), { capture: true, passive: true });
addEventListener("resize", mark);
for (const name of ["htmx:afterSettle", "chat:replaced"]) document.addEventListener(name, mark);
mark();
