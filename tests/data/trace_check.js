// Runs in a page of `siskin trace --html`, behind its own script, and puts what it finds into <pre id="report"> as JSON: names of what can be
// operated, contrast of all texts, what the keyboard does, and whether the page fits its width. See tests/trace_page.rs.
"use strict";
window.addEventListener("load", () => {
  const report = { nameless: [], faint: [], least: 99 };

  /** The name that a screen reader would say, by the rules that this page needs. */
  const nameOf = (element) => {
    const labelled = element.getAttribute("aria-labelledby");
    const label = labelled ? document.getElementById(labelled)?.textContent : null;
    return (element.getAttribute("aria-label") ?? label ?? element.labels?.[0]?.textContent ?? element.textContent).trim();
  };
  for (const element of document.querySelectorAll("a[href], button, input, summary, select, [tabindex], [role], section, table")) {
    if (!element.closest("[hidden]") && nameOf(element) === "") report.nameless.push(element.outerHTML.slice(0, 120));
  }

  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, bottom) => {
    const mix = (name) => top[name] * top.a + bottom[name] * (1 - top.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  };
  const background = (element) => {
    if (!element) return { r: 255, g: 255, b: 255, a: 1 };
    const own = parse(getComputedStyle(element).backgroundColor);
    return own.a === 1 ? own : over(own, background(element.parentElement));
  };
  /** WCAG 2.2, relative luminance. */
  const luminance = ({ r, g, b }) => [r, g, b].map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const check = () => {
    for (const element of document.querySelectorAll("body *")) {
      const hasText = [...element.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== "");
      if (!hasText || element.closest(".hidden, [hidden], script, style, noscript, .skip, svg title") || element.matches(":disabled")) continue;
      if (element.closest("details:not([open])") && !element.closest("summary")) continue;
      const style = getComputedStyle(element);
      const text = parse(element instanceof SVGElement ? style.fill : style.color), back = background(element);
      const [low, high] = [luminance(over(text, back)), luminance(back)].sort((a, b) => a - b);
      const ratio = (high + 0.05) / (low + 0.05);
      report.least = Math.min(report.least, ratio);
      if (ratio < 4.5) report.faint.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`);
    }
  };
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  for (const tint of document.querySelectorAll("#tint input")) {
    tint.click();
    check();
  }
  document.querySelectorAll("details").forEach((details) => { details.open = false; });

  const focusable = () => document.querySelectorAll("#text [tabindex='0']").length;
  const selected = () => document.querySelector("#text [aria-selected='true']");
  const press = (key) => {
    selected().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    return { id: selected().id, focus: document.activeElement?.id, stops: focusable(), heading: document.getElementById("token-heading").textContent };
  };
  report.start = selected().id;
  report.keys = {};
  for (const key of ["Home", "ArrowRight", "ArrowRight", "ArrowLeft", "End", "PageUp"]) (report.keys[key] ??= []).push(press(key));
  report.live = document.getElementById("live").textContent;
  report.hash = location.hash;

  const slider = document.getElementById("range-temp");
  const first = () => Number(document.querySelector("#candidates tr").dataset.drawn);
  const before = first();
  slider.value = "0.05";
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  report.sharpened = [before, first()];
  document.getElementById("as-run").click();
  report.back = first();
  report.tips = getComputedStyle(slider).colorScheme;
  report.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  report.width = document.documentElement.clientWidth;
  report.dark = matchMedia("(prefers-color-scheme: dark)").matches;

  const out = document.createElement("pre");
  out.id = "report";
  out.hidden = true;
  out.textContent = JSON.stringify(report);
  document.body.append(out);
  if (parent !== window) parent.postMessage(out.textContent, "*");
});
