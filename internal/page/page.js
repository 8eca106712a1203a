// Keeps the elements of the page up to date that the server names, by their ids, and copies what there is to copy. Without it
// the page is complete, and reloads by itself.
"use strict";

const live = document.body.dataset.live;
if (live) {
  const events = new EventSource(live);
  events.onopen = () => document.body.classList.remove("offline");
  events.onerror = () => document.body.classList.add("offline");
  // Nothing changes between the press and the release of a button: a click is on what was pressed.
  let news = {}, pressed = false;
  const apply = () => {
    if (pressed) return;
    for (const [id, html] of Object.entries(news)) {
      const element = document.getElementById(id);
      if (!element || element.innerHTML === html) continue;
      const focus = element.contains(document.activeElement) ? document.activeElement.id : "";
      element.innerHTML = html;
      if (focus) document.getElementById(focus)?.focus();
    }
    news = {};
  };
  events.onmessage = (event) => { Object.assign(news, JSON.parse(event.data)); apply(); };
  document.addEventListener("pointerdown", () => { pressed = true; });
  for (const end of ["pointerup", "pointercancel"])
    document.addEventListener(end, () => { pressed = false; setTimeout(apply); }); // after the click
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).innerText);
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
});
