// Points at, leaves, clicks and taps tokens of a page of `siskin trace --html`, with the events that browsers send for these, at whatever lies
// at that point of the page. See tests/trace_page.rs.
"use strict";
window.addEventListener("load", () => {
  const byId = (id) => document.getElementById(id), text = byId("text");
  /** A middle of a token on the screen, and what lies there. */
  const middle = (index) => {
    const token = byId("token-" + index);
    token.scrollIntoView({ block: "center" });
    const box = [...token.getClientRects()].sort((a, b) => b.width - a.width)[0];
    const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
    return { at, target: document.elementFromPoint(at.clientX, at.clientY) };
  };
  const send = (target, pointerType, at, ...types) => types.forEach((type) => {
    const bubbles = !["pointerenter", "pointerleave"].includes(type);
    target.dispatchEvent(new PointerEvent(type, { bubbles, cancelable: true, composed: true, pointerType, pointerId: 1, isPrimary: true, ...at }));
  });
  const hover = (index) => {
    const { at, target } = middle(index);
    send(text, "mouse", at, "pointerenter");
    send(target, "mouse", at, "pointerover", "pointermove");
    const table = shownTable();
    send(target, "mouse", at, "pointerout");
    return table;
  };
  const leave = () => {
    send(text, "mouse", {}, "pointerleave");
    return shownTable();
  };
  const click = (index) => {
    const { at, target } = middle(index);
    send(target, "mouse", at, "pointerover", "pointerdown", "pointerup", "click");
    return { ...shownTable(), focus: document.activeElement.id };
  };
  const tap = (index) => {
    const { at, target } = middle(index);
    send(target, "touch", at, "pointerover", "pointerdown", "pointerup");
    const before = shownTable();
    send(target, "touch", at, "pointerout");
    send(text, "touch", at, "pointerleave");
    send(target, "touch", at, "click");
    return { before, after: { ...shownTable(), focus: document.activeElement.id } };
  };

  const count = document.querySelectorAll("#text .token").length, found = { start: shownTable() };
  found.hovers = Array.from({ length: count }, (_, index) => hover(index));
  // between two tokens, or behind the last
  send(text, "mouse", {}, "pointerover");
  found.between = shownTable();
  hover(count - 1);
  found.left = leave();
  found.clicks = [2, count - 1, 0].map((index) => ({ index, clicked: click(index), hovered: hover(1), left: leave() }));
  found.taps = [3, 1].map((index) => ({ index, ...tap(index) }));
  document.querySelectorAll("#chart .column")[4].dispatchEvent(new MouseEvent("click", { bubbles: true }));
  found.chart = shownTable();
  tell(found);
});
