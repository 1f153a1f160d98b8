// Moves the sliders of a page of `siskin trace --html`: each of MOVES, a list of [name, value], by itself from where the run has them, then all
// that are marked, together. See tests/trace_page.rs.
"use strict";
window.addEventListener("load", () => {
  const byId = (id) => document.getElementById(id);
  const move = (name, value) => {
    const slider = byId("range-" + name);
    slider.value = String(value);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    return { ...shownTable(), slider: Number(slider.value), spoken: slider.getAttribute("aria-valuetext"), value: byId("value-" + name).textContent };
  };
  byId("more").click();
  const found = { start: shownTable(), moves: [] };
  for (const [name, value] of MOVES) {
    byId("as-run").click();
    found.moves.push(move(name, value));
  }
  byId("as-run").click();
  found.back = shownTable();
  TOGETHER.forEach(([name, value]) => { found.together = move(name, value); });
  byId("as-model").click();
  found.model = shownTable();
  tell(found);
});
