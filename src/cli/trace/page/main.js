// What is selected, where that is kept, and what follows from it.
//
// The address keeps it, so that a link shows the same again: #token=7&temp=0.5&top_k=40&top_p=0.9&min_p=0.05&tint=entropy. `token` is a position
// in the sequence; settings are there when they differ from those of the run.

const data = JSON.parse(by("data").textContent);
const state = { selected: 0, hovered: null, settings: runSettings(), tint: "probability", isLong: false };

function show() {
  const index = state.hovered ?? state.selected;
  showRanges(state.settings);
  if (data.steps.length > 0) drawPanel(index, state.settings, state.isLong);
  const run = runSettings();
  by("as-run").disabled = isSame(state.settings, run);
  by("as-model").disabled = isSame(state.settings, OWN);
}

/** Selects a token: in the text, in the chart, in the panel, in the address. */
function select(index, focus = false) {
  if (data.steps.length === 0) return;
  const before = by("token-" + state.selected);
  before.setAttribute("aria-selected", "false");
  before.tabIndex = -1;
  state.selected = Math.max(0, Math.min(index, data.steps.length - 1));
  state.hovered = null;
  const token = by("token-" + state.selected);
  token.setAttribute("aria-selected", "true");
  token.tabIndex = 0;
  if (focus) token.focus();
  markChart(state.selected);
  show();
  say(data.steps[state.selected]);
  keep();
}

/** Tells screen readers what else could have come. */
function say(step) {
  const without = forbidden(step).add(step.token);
  const others = (step.expected?.top ?? []).filter(([token]) => !without.has(token)).slice(0, 3);
  const p = (logit) => percent(Math.exp(logit - step.expected.log_sum_exp));
  by("live").textContent = step.expected
    ? `Entropy ${number(step.expected.entropy)} nats. Other candidates: ${others.map(([token, logit]) => `${shown(token)} ${p(logit)}`).join(", ")}.`
    : "Nothing predicts the first token.";
}

/** Writes the selection into the address. */
function keep() {
  const run = runSettings(), parts = new URLSearchParams();
  parts.set("token", data.steps[state.selected].position);
  for (const { name } of RANGES) if (state.settings[name] !== run[name]) parts.set(name, round(state.settings[name]));
  if (state.tint !== "probability") parts.set("tint", state.tint);
  try {
    history.replaceState(null, "", "#" + parts);
  } catch {
    // Some hosts of local files forbid it; the page works without.
  }
}

/** Reads the selection from the address; what makes no sense there is left out. */
function restore() {
  const parts = new URLSearchParams(location.hash.slice(1));
  state.settings = runSettings();
  for (const { name, min } of RANGES) {
    const value = Number(parts.get(name) ?? NaN);
    if (Number.isFinite(value) && value >= Math.min(min, 0)) state.settings[name] = value;
  }
  state.settings.top_p = Math.max(state.settings.top_p, 0.001);
  state.settings.min_p = Math.min(state.settings.min_p, 1);
  if (state.settings.temp < 0.001) state.settings.temp = 0;
  state.settings.top_k = Math.round(state.settings.top_k);
  const tint = parts.get("tint");
  if (tint === "none" || Object.hasOwn(SCALES, tint ?? "")) state.tint = tint;
  by("tint").querySelector(`input[value="${state.tint}"]`).checked = true;
  tintText(state.tint);
  const asked = data.steps.findIndex((step) => String(step.position) === parts.get("token"));
  select(asked >= 0 ? asked : Math.max(0, data.steps.findIndex((step) => !step.prompt && step.expected)));
}

/** The token above or below another one in the text. */
function neighbour(index, direction) {
  const box = (i) => by("token-" + i).getClientRects()[0];
  const from = box(index);
  let found = index, best = Infinity, line = null;
  for (let i = index + direction; i >= 0 && i < data.steps.length; i += direction) {
    const to = box(i);
    if (!to || Math.abs(to.top - from.top) < from.height / 2) continue;
    line ??= to.top;
    if (Math.abs(to.top - line) > from.height / 2) break;
    const distance = Math.abs((to.left + to.right) / 2 - (from.left + from.right) / 2);
    if (distance < best) [best, found] = [distance, i];
  }
  return found;
}

function listenToText() {
  const text = by("text");
  const indexOf = (target) => {
    const token = target.closest?.(".token");
    return token ? Number(token.id.slice("token-".length)) : null;
  };
  text.addEventListener("click", (event) => {
    const index = indexOf(event.target);
    if (index !== null) select(index, true);
  });
  text.addEventListener("focusin", (event) => {
    const index = indexOf(event.target);
    if (index !== null && index !== state.selected) select(index);
  });
  text.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    state.hovered = indexOf(event.target);
    show();
  });
  text.addEventListener("pointerleave", () => {
    state.hovered = null;
    show();
  });
  text.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = state.selected;
    const moves = {
      ArrowRight: () => at + 1, ArrowLeft: () => at - 1, ArrowDown: () => neighbour(at, 1), ArrowUp: () => neighbour(at, -1),
      Home: () => 0, End: () => data.steps.length - 1, PageDown: () => at + 10, PageUp: () => at - 10,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    select(moves[event.key](), true);
  });
}

function set(settings) {
  Object.assign(state.settings, settings);
  show();
  if (data.steps.length > 0) keep();
}

function listen() {
  listenToText();
  by("as-run").addEventListener("click", () => set(runSettings()));
  by("as-model").addEventListener("click", () => set(OWN));
  by("sliders").addEventListener("submit", (event) => event.preventDefault());
  by("more").addEventListener("click", () => {
    state.isLong = !state.isLong;
    show();
  });
  by("tint").addEventListener("change", (event) => {
    state.tint = event.target.value;
    tintText(state.tint);
    if (data.steps.length > 0) keep();
  });
  window.addEventListener("hashchange", restore);
}

function drawSummary() {
  const { run, end } = data, times = end.times;
  const chain = run.sampling.chain.map((step) => `${step.name} ${step.setting}`).join(", ");
  const how = { greedy: "the likeliest token each time", sample: `drawn after ${chain || "nothing"}; seed ${run.sampling.seed}`,
    beams: `found by beam search${chain ? ` among tokens ${chain}` : ""}`, best_of: `the best of several, drawn after ${chain || "nothing"}; seed ${run.sampling.seed}` };
  by("summary").textContent = `${run.model} (${run.family}), ${run.vocabulary} tokens in the vocabulary. Text: ${how[run.sampling.method]}. ` +
    `Ended by ${end.stop.reason}${end.stop.detail ? ` (${visible(end.stop.detail)})` : ""}.`;
  const rate = (tokens, ms) => (ms > 0 ? `, ${(tokens / ms * 1000).toFixed(0)} tokens/s` : "");
  by("times").textContent = `Loading took ${time(times.load_ms)}; the prompt of ${times.prefill_tokens} tokens ${time(times.prefill_ms)}` +
    `${rate(times.prefill_tokens, times.prefill_ms)}; ${times.decode_tokens} tokens after it ${time(times.decode_ms)}` +
    `${rate(times.decode_tokens, times.decode_ms)}. Kernels ${run.isa}, ${run.threads} threads. Recording is not counted.`;
  by("about").textContent = `Made by siskin ${data.version}. Probabilities are the model's own, over the whole vocabulary at temperature 1, ` +
    "unless it says “drawn”: those are after the samplers. This page needs no network and sends nothing.";
  document.title = "siskin trace: " + data.end.text.trim().slice(0, 60);
}

function drawStages() {
  const { times } = data.end;
  const means = times.stages_mean_ms ?? {}, mean = `mean of ${means.passes} passes`;
  const spans = { tokenize: times.tokenize_ms, sample: times.sampling_median_ms, ...means };
  const names = { tokenize: "all of it", embedding: mean, attention: mean, feed_forward: mean, output: mean, sample: "median of a choice" };
  by("stages").replaceChildren(...data.run.stages.map((stage) => {
    const ms = spans[stage.timed_with];
    const timed = ms !== undefined && ms !== null ? el("span", {}, `${time(ms)}, ${names[stage.timed_with]}`) : null;
    return el("li", {}, el("strong", {}, stage.name), el("span", { class: "shape" }, stage.shape), el("span", { class: "what" }, stage.detail), timed);
  }));
}

drawSummary();
drawText();
drawChart();
drawRows();
drawRanges((name, value) => set({ [name]: value }));
drawStages();
if (data.continuations.length > 0) {
  by("beams-part").hidden = false;
  drawContinuations();
  by("tree-part").hidden = data.beams.length === 0;
  if (data.beams.length > 0) drawTree();
}
listen();
restore();
