// The text, token by token, and the chart of entropy.

/** Classes of surprise (by probability) and of entropy, in nats, and what they say. Each is a shade; the first has none. */
const SCALES = {
  probability: { limits: [0.8, 0.5, 0.25, 0.1, 0.03, 0.01].map((p) => -Math.log(p)), names: ["over 80 %", "50 %", "25 %", "10 %", "3 %", "1 %", "less"] },
  entropy: { limits: [0.25, 0.75, 1.25, 2, 3, 4], names: ["under 0.25 nats", "0.75", "1.25", "2", "3", "4", "more"] },
};

/** The shade of a step. */
function shade(step, tint) {
  const value = tint === "probability" ? (step.logprob === null ? null : -step.logprob) : step.expected?.entropy ?? null;
  if (tint === "none" || value === null) return 0;
  const limits = SCALES[tint].limits;
  const at = limits.findIndex((limit) => value < limit);
  return at < 0 ? limits.length : at;
}

/** What a screen reader says of a token. */
function spoken(step) {
  const text = data.tokens[step.token];
  const name = text.special ? text.text : text.text.trim() === "" ? visible(text.text).replace(/ /g, "space ") : text.text.trim();
  const facts = step.probability === null ? "the first token" : `${percent(step.probability)}, rank ${step.rank}`;
  return `${name}, ${facts}`;
}

/** The text as options of a list box. */
function drawText() {
  const list = by("text");
  if (!data.steps.some((step) => step.prompt)) {
    by("prompt").textContent = data.run.prompt.filter((piece) => !piece.special).map((piece) => piece.text).join("");
  }
  data.steps.forEach((step, index) => {
    const { text, special, bytes } = data.tokens[step.token];
    const content = special || bytes ? [el("i", {}, shown(step.token))] : lines(text);
    list.append(el("span", {
      class: step.prompt ? "token of-prompt" : "token", role: "option", id: "token-" + index,
      tabindex: -1, "aria-selected": "false", "aria-label": spoken(step),
    }, ...content));
  });
}

/** Text with line ends that can be seen, and pointed at. */
function lines(text) {
  const controls = /[\p{Cc}\p{Cf}]/gu;
  return text.split(/(\n)/).filter((part) => part !== "").map((part) =>
    part === "\n" ? "⏎\n" : part.replace(controls, (c) => (c === "\t" ? c : visible(c))));
}

/** Tints the text, and says what the shades mean. */
function tintText(tint) {
  data.steps.forEach((step, index) => {
    const token = by("token-" + index);
    for (let i = 1; i <= 6; i++) token.classList.toggle("t" + i, shade(step, tint) === i);
  });
  const names = tint === "none" ? [] : SCALES[tint].names;
  by("legend").replaceChildren(...names.map((name, i) => el("span", {}, el("b", { class: "t" + i }), name)));
}

/** `surprise`: nats that the axis goes up to at most for the sake of a dot, so that one odd token does not flatten all bars. */
const PLOT = { height: 140, top: 10, label: 84, letter: 6.7, surprise: 7 };

/** A token below the chart. */
function labelOf(token) {
  const { text, bytes } = data.tokens[token];
  const plain = bytes ? shown(token) : visible(text).trim() || shown(token);
  return plain.length > 11 ? plain.slice(0, 10) + "…" : plain;
}

/** A round step for an axis that goes to `max`, with four lines or so. */
function axisStep(max) {
  const rough = max / 4, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough);
}

/** Entropy as bars and surprise as dots, over the text. */
function drawChart() {
  const steps = data.steps.map((step, index) => ({ ...step, index })).filter((step) => step.expected);
  if (steps.length === 0) return;
  const most = (values) => Math.max(1, ...values.filter(Number.isFinite));
  const surprise = most(steps.map((step) => -step.logprob));
  const highest = Math.max(most(steps.map((step) => step.expected.entropy)), Math.min(surprise, PLOT.surprise));
  const tick = axisStep(highest), max = Math.ceil(highest / tick) * tick;
  by("clipped").hidden = surprise <= max;
  const y = (value) => PLOT.top + PLOT.height * (1 - Math.min(value, max) / max);
  const width = Math.max(16, Math.min(40, Math.floor(560 / steps.length)));
  PLOT.label = 16 + PLOT.letter * Math.max(...steps.map((step) => labelOf(step.token).length));
  const size = { height: PLOT.top + PLOT.height + PLOT.label };
  const ticks = Array.from({ length: Math.round(max / tick) + 1 }, (_, i) => i * tick);

  const axis = svg("svg", { ...size, width: 34, "aria-hidden": "true" }, ...ticks.map((value) =>
    svg("text", { x: 28, y: y(value) + 4, "text-anchor": "end" }, String(Number(value.toFixed(6))))));
  const plot = svg("svg", { ...size, width: steps.length * width + 2, role: "img", "aria-label": summaryOfChart(steps) },
    ...ticks.map((value) => svg("line", { class: "grid", x1: 0, x2: steps.length * width, y1: y(value), y2: y(value) })),
    ...steps.map((step, i) => column(step, i * width, width, y)),
    svg("rect", { class: "marker", id: "marker", x: 0, y: PLOT.top, width, height: PLOT.height, rx: 2, visibility: "hidden" }));
  by("chart").replaceChildren(axis, el("div", { class: "plot", tabindex: 0, role: "region", "aria-label": "Chart of entropy" }, plot));
  chartColumns = { width, places: new Map(steps.map((step, i) => [step.index, i])) };
}

let chartColumns = null;

function column(step, x, width, y) {
  const middle = x + width / 2, entropy = y(step.expected.entropy), name = shown(step.token);
  const group = svg("g", {},
    svg("rect", { class: "entropy", x: x + 1.5, width: width - 3, y: entropy, height: y(0) - entropy, rx: 1 }),
    Number.isFinite(step.logprob) && step.logprob !== null
      ? svg("circle", { class: "surprise", cx: middle, cy: y(-step.logprob), r: 3.5 }) : null,
    svg("text", { transform: `translate(${middle + 4} ${y(0) + 8}) rotate(-90)`, "text-anchor": "end" }, labelOf(step.token)),
    svg("rect", { class: "column", x, width, y: PLOT.top, height: PLOT.height + PLOT.label },
      svg("title", {}, `${name}: entropy ${number(step.expected.entropy)}, surprise ${number(-step.logprob)} nats`)));
  group.addEventListener("click", () => select(step.index));
  return group;
}

function summaryOfChart(steps) {
  const highest = steps.reduce((a, b) => (b.expected.entropy > a.expected.entropy ? b : a));
  const mean = steps.reduce((sum, step) => sum + step.expected.entropy, 0) / steps.length;
  return `Entropy of ${steps.length} positions: mean ${number(mean)} nats, highest ${number(highest.expected.entropy)} ` +
    `before ${shown(highest.token)}. The table below has all numbers.`;
}

/** Marks a token in the chart, and brings it into sight there. */
function markChart(index) {
  const place = chartColumns?.places.get(index), marker = by("marker");
  if (!marker) return;
  marker.setAttribute("visibility", place === undefined ? "hidden" : "visible");
  if (place === undefined) return;
  const x = place * chartColumns.width, plot = marker.closest(".plot");
  marker.setAttribute("x", x);
  if (x < plot.scrollLeft || x + chartColumns.width > plot.scrollLeft + plot.clientWidth) plot.scrollLeft = x - plot.clientWidth / 2;
}

/** The table beside the chart. */
function drawRows() {
  const cell = (text) => el("td", { class: "number" }, text);
  by("rows").replaceChildren(...data.steps.map((step) => el("tr", {},
    cell(String(step.position)), el("td", {}, piece(step.token)), cell(percent(step.probability)),
    cell(String(step.rank ?? "–")), cell(number(step.expected?.entropy)),
    cell(number(step.logprob === null ? null : -step.logprob)), cell(number(step.sampling_ms, 3)), cell(number(step.pass_ms, 3)))));
}
