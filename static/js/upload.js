// What is said of a file before and while it is sent: its size, its price, how far it is; and Cancel.
const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0);

// A file that nobody would take is refused before anything of it leaves.
export function judge(input) {
  const { form, files: [file] } = input;
  let problem = "";
  if (file && !file.size) problem = form.dataset.empty;
  else if (file?.size > Number(form.dataset.most)) problem = `The file is ${megabytes(file.size)} MB. ${form.dataset.tooLarge}`;
  const place = form.querySelector("[data-file-problem]");
  place.textContent = problem;
  place.hidden = !problem;
  input.setCustomValidity(problem);
  return !problem;
}

// Asks the site what so many seconds cost; a length that cannot be read here is said to be unknown.
export async function estimate(input) {
  const { form, files: [file] } = input;
  const place = form.querySelector("[data-estimate]");
  if (!place) return;
  place.replaceChildren();
  if (!file) return;
  const seconds = Number(input.dataset.recorded) || await secondsOf(file);
  if (input.files[0] !== file) return;
  if (!Number.isFinite(seconds)) {
    place.textContent = place.dataset.unknown;
    return;
  }
  const asked = new URLSearchParams({ seconds: Math.max(1, Math.round(seconds)) });
  if (form.elements.model) asked.set("model", form.elements.model.value);
  htmx.ajax("GET", `${form.dataset.estimateUrl}?${asked}`, { target: place, swap: "innerHTML" });
}

function secondsOf(file) {
  const player = new Audio();
  const url = URL.createObjectURL(file);
  return new Promise((resolve) => {
    player.addEventListener("loadedmetadata", () => resolve(player.duration));
    player.addEventListener("error", () => resolve(NaN));
    player.preload = "metadata";
    player.src = url;
  }).finally(() => URL.revokeObjectURL(url));
}

// The states of an order on its way: idle, begun, sent (whole: from then on the site may have taken it),
// and over.
function show(form, state) {
  const box = form.querySelector("[data-sending]");
  const words = box.querySelector("[data-sending-words]");
  const isBusy = state === "begun" || state === "sent";
  const hasFile = [...form.querySelectorAll("input[type=file]")].some((input) => input.files.length);
  form.dataset.order = state;
  box.hidden = !state;
  box.querySelector("[data-sending-file]").hidden = !(state === "begun" && hasFile);
  words.textContent = words.dataset[state] ?? "";
  form.querySelector("button[type=submit]").toggleAttribute("aria-disabled", isBusy);
}

function progress(form, { lengthComputable, loaded, total }) {
  if (form.dataset.order !== "begun" || !lengthComputable) return;
  form.querySelector("progress").value = loaded / total;
  form.querySelector("[data-sending-amount]").textContent = `${megabytes(loaded)} of ${megabytes(total)} MB`;
}

function onOrder(event, act) {
  document.addEventListener(event, ({ target, detail }) => {
    if (target instanceof HTMLFormElement && target.matches("[data-order]")) act(target, detail);
  });
}

onOrder("htmx:beforeRequest", (form) => {
  form.querySelector("[data-answer-place]").replaceChildren();
  progress(form, { lengthComputable: true, loaded: 0, total: 1 });
  show(form, "begun");
});
onOrder("htmx:xhr:progress", progress);
onOrder("htmx:xhr:loadend", (form, { loaded, total }) => {
  if (form.dataset.order === "begun" && loaded && loaded === total) show(form, "sent");
});
onOrder("htmx:xhr:abort", (form) => show(form, "cancelled"));
onOrder("htmx:sendError", (form) => show(form, form.dataset.order === "sent" ? "unanswered" : "unreachable"));
onOrder("htmx:responseError", (form) => show(form, ""));

document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-sending-cancel]")) htmx.trigger(target.closest("form"), "htmx:abort");
});

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-order]")) show(form, "");
});
