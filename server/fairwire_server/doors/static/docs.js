// The search box of the docs page: shows what contains every word typed, and says how much that is. "/" goes to it.
"use strict";

const box = document.getElementById("find");
const found = document.getElementById("found");
const items = [...document.querySelectorAll("[data-find]")].map((element) => ({ element, text: element.textContent.toLowerCase() }));
const sections = [...document.querySelectorAll("[data-section]")];

function show() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { element, text } of items) {
    element.hidden = !words.every((word) => text.includes(word));
    count += element.hidden ? 0 : 1;
  }
  for (const section of sections) {
    section.hidden = words.length > 0 && !section.querySelector("[data-find]:not([hidden])");
  }
  found.textContent = words.length === 0 ? "" : count === 1 ? "1 entry" : `${count} entries`;
}

// A link to a folded entry opens it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target === null) return;
  if (target.closest("[hidden]")) {
    box.value = "";
    show();
  }
  if (target instanceof HTMLDetailsElement) target.open = true;
  target.scrollIntoView();
}

box.addEventListener("input", show);
window.addEventListener("hashchange", unfold);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== box) {
    event.preventDefault();
    box.focus();
  } else if (event.key === "Escape" && document.activeElement === box) {
    box.value = "";
    show();
  }
});
show();
if (location.hash) unfold();
