// Pictures to send: chosen, dropped or pasted, shown before they go, each of them removable.
import { isTaken } from "./composer.js";
import { toast } from "./site.js";

const held = new Map(); // a form's address: its pictures, so that a redrawn form has them again

const inputOf = (form) => form?.querySelector("[data-attach] input[type=file]");
const heldBy = (form) => held.get(form.action) ?? [];
const takesPictures = (form) => form?.querySelector(".composer__attach:not([hidden])");

function hold(form, files) {
  held.set(form.action, files);
  const carried = new DataTransfer();
  for (const file of files) carried.items.add(file);
  inputOf(form).files = carried.files;
  inputOf(form)
    .closest("[data-attach]")
    .querySelector("[data-attach-list]")
    .replaceChildren(...files.map((file, place) => preview(form, file, place)));
}

function take(form, files) {
  const box = form.querySelector("[data-attach]");
  const most = Number(box.dataset.most) - form.querySelectorAll("[name=kept]:checked").length;
  const types = inputOf(form).accept.split(",");
  const taken = [...heldBy(form)];
  let problem = "";
  for (const file of files) {
    if (!types.includes(file.type)) problem = `“${file.name}” is no PNG, JPEG or WebP.`;
    else if (file.size > Number(box.dataset.mostBytes))
      problem = `“${file.name}” is larger than ${box.dataset.mostBytes >> 20} MB.`;
    else if (file.size === 0) problem = `“${file.name}” is empty.`;
    else if (taken.length >= most) problem = `At most ${box.dataset.most} pictures can go with a message.`;
    else taken.push(file);
  }
  hold(form, taken);
  box.querySelector("[data-attach-problem]").textContent = problem;
}

function preview(form, file, place) {
  const item = document.createElement("li");
  const image = new Image();
  image.alt = `Picture ${place + 1}: ${file.name}`;
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    image.src = reader.result;
  });
  reader.readAsDataURL(file);
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "attach__remove";
  remove.setAttribute("aria-label", `Remove ${file.name}`);
  remove.textContent = "×";
  remove.addEventListener("click", () => {
    hold(form, heldBy(form).filter((one) => one !== file));
    form.querySelector("[data-attach-problem]").textContent = "";
    form.querySelector(".composer__text").focus();
  });
  item.append(image, remove);
  return item;
}

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-attach] input[type=file]") && target.files.length)
    take(target.form, [...target.files]);
});

document.addEventListener("paste", (event) => {
  const form = event.target.closest?.(".composer");
  const files = [...(event.clipboardData?.files ?? [])];
  if (!form || !files.length) return;
  event.preventDefault();
  offer(form, files);
});

// A file dropped beside the composer would replace the page.
for (const name of ["dragover", "drop"])
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files") || !event.target.closest?.("[data-chat]")) return;
    event.preventDefault();
    const form = event.target.closest(".composer") ?? document.getElementById("composer");
    const isOver = name === "dragover";
    form?.classList.toggle("composer--drop", isOver && Boolean(takesPictures(form)));
    if (!isOver && form) offer(form, [...event.dataTransfer.files]);
  });

document.addEventListener("dragleave", (event) => {
  event.target.closest?.(".composer--drop")?.classList.remove("composer--drop");
});

function offer(form, files) {
  if (takesPictures(form)) take(form, files);
  else toast("This model takes no pictures.");
}

document.addEventListener("htmx:afterRequest", ({ target, detail }) => {
  if (isTaken(detail) && target.matches(".composer") && inputOf(target)) hold(target, []);
});

document.addEventListener("htmx:afterSettle", () => {
  for (const form of document.querySelectorAll(".composer:has([data-attach])"))
    if (heldBy(form).length && !inputOf(form).files.length) hold(form, heldBy(form));
});
