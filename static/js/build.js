// The chosen language and mode are part of the page's address, so that it can be shared.
document.addEventListener("change", ({ target }) => {
  const form = target.closest("form[data-remembered]");
  if (!form) return;
  history.replaceState(history.state, "", `?${new URLSearchParams(new FormData(form))}`);
});
