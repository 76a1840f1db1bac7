// A short message that goes away by itself and is read out by screen readers.
export function toast(text) {
  const item = document.createElement("p");
  item.className = "toast";
  item.textContent = text;
  document.getElementById("toasts").append(item);
  setTimeout(() => item.remove(), 6000);
}
