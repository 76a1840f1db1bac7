// The studio's forms: a preview of the picture, a word while it is sent, and the recorder.
import { attachRecorders } from "./recorder.js";

function preview(input) {
  const frame = document.querySelector(`[data-preview="${input.id}"]`);
  const [file] = input.files;
  if (!frame || !file) return;
  const image = frame.querySelector("img") ?? frame.insertAdjacentElement("afterbegin", new Image());
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    image.removeAttribute("width");
    image.removeAttribute("height");
    image.alt = "The picture to edit";
    image.src = reader.result;
    frame.hidden = false;
  });
  reader.readAsDataURL(file);
}

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-order] input[type=file]")) preview(target);
});

// A second press would only repeat the same form, which the site takes once; say that it is on its way.
document.addEventListener("submit", ({ target }) => {
  if (!target.matches("[data-order]")) return;
  target.querySelector("[data-sending]").hidden = false;
  target.querySelector("button[type=submit]").setAttribute("aria-disabled", "true");
});

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-order]")) {
    form.querySelector("[data-sending]").hidden = true;
    form.querySelector("button[type=submit]").removeAttribute("aria-disabled");
  }
});

attachRecorders(document);
document.addEventListener("htmx:afterSettle", (event) => attachRecorders(event.target));
