// The studio's forms: a preview of the picture, what is said of a file, and the recorder.
import { attachRecorders } from "./recorder.js";
import { estimate, judge } from "./upload.js";

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

function look(input) {
  if (!judge(input)) return;
  preview(input);
  estimate(input);
}

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-order] input[type=file]")) look(target);
  if (target.matches("[data-order] select[name=model]")) lookAgain(target.form);
});

// A form that was put in the place of another one keeps the file that was chosen.
function lookAgain(scope) {
  for (const input of scope.querySelectorAll("input[type=file]")) if (input.files.length) look(input);
}

attachRecorders(document);
document.addEventListener("htmx:afterSettle", ({ target }) => {
  attachRecorders(target);
  if (target.querySelector("[data-order]")) lookAgain(target);
});
