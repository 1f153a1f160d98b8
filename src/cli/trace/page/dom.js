// Small helpers: elements, numbers and tokens as people read them. Text goes into the document as text only, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a child may be a string. */
function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** The element with an id. */
function by(id) {
  return document.getElementById(id);
}

/** A probability in per cent with a sensible number of digits. */
function percent(p) {
  if (p === null || p === undefined) return "–";
  const value = p * 100;
  if (value === 0 || value >= 99.95) return value.toFixed(0) + " %";
  if (value < 0.001) return value.toExponential(0).replace("-", "−") + " %";
  return value.toFixed(value >= 10 ? 1 : value >= 0.1 ? 2 : 3) + " %";
}

/** A number with some digits, with a real minus sign. */
function number(x, digits = 2) {
  return x === null || x === undefined ? "–" : x.toFixed(digits).replace("-", "−");
}

/** Milliseconds. */
function time(ms) {
  return ms === null || ms === undefined ? "–" : (ms < 1 ? ms.toFixed(3) : ms.toFixed(ms < 100 ? 2 : 0)) + " ms";
}

/** How characters that cannot be seen, or that would turn the order of others, are spelled. */
function visible(text) {
  const names = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]/gu,
    (c) => names[c] ?? "\\u{" + c.codePointAt(0).toString(16) + "}");
}

/** A token as a person reads it: in quotes, special ones as they are spelled, bytes that are no text as numbers. */
function shown(token) {
  const { text, special, bytes } = data.tokens[token] ?? { text: "", special: true };
  if (special) return visible(text) || "token " + token;
  if (bytes) return bytes.map((byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : "\\x" + byte.toString(16).toUpperCase().padStart(2, "0"))).join("");
  return "“" + visible(text) + "”";
}

/** A token's text in an element. */
function piece(token) {
  return el("span", { class: "piece" }, shown(token));
}
