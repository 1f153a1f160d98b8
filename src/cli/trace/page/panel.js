// The panel of one token: facts, sliders, and the distribution.

const FILTERS = ["top_k", "top_p", "min_p", "temperature"];
const OWN = { temp: 1, top_k: 0, top_p: 1, min_p: 0 };

/** The settings that the run had; a search has none. */
function runSettings() {
  const { method, temperature, top_k, top_p, min_p } = data.run.sampling;
  return method === "beams" ? { ...OWN } : { temp: temperature, top_k, top_p, min_p };
}

/** The four steps in the order of the run's chain; those that it leaves out come where they usually stand. */
function order() {
  const given = data.run.sampling.order.filter((name) => FILTERS.includes(name));
  return [...given, ...FILTERS.filter((name) => !given.includes(name))];
}

/** Steps of the run's chain that the sliders know nothing of. What is forbidden at a position they know if it is recorded. */
function unknownSteps(step) {
  const known = [...FILTERS, "greedy", ...step.filters.map((filter) => filter.name).filter((name) => name === ALLOWED)];
  return data.run.sampling.chain.map((one) => one.name).filter((name) => !known.includes(name));
}

/** The recorded tokens that a grammar or a stop condition forbids at a position. */
function forbidden(step) {
  return new Set(step.filters.find((filter) => filter.name === ALLOWED)?.removed ?? []);
}

/** The step after which no token was left but recorded ones; null if others were left to the end. */
function emptied(step) {
  let own = step.expected.top.length;
  for (const { name, left, removed } of step.filters) {
    own -= removed.length;
    if (left <= own) return name;
  }
  return null;
}

const RANGES = [
  { name: "temp", label: "Temperature", min: 0, max: 2, step: 0.05, text: (x) => (x === 0 ? "0, greedy" : String(round(x))) },
  { name: "top_k", label: "Top-k", min: 0, max: 64, step: 1, text: (x) => (x === 0 ? "all" : String(x)) },
  { name: "top_p", label: "Top-p", min: 0.05, max: 1, step: 0.01, text: (x) => (x >= 1 ? "1, all" : String(round(x))) },
  { name: "min_p", label: "Min-p", min: 0, max: 0.5, step: 0.01, text: (x) => (x === 0 ? "0, all" : String(round(x))) },
];

function round(x) {
  return Number(x.toPrecision(4));
}

/** Makes the sliders. The settings themselves are kept apart: a slider only knows its own marks. */
function drawRanges(change) {
  const settings = runSettings();
  for (const range of RANGES) {
    const max = Math.max(range.max, settings[range.name]);
    const input = el("input", { type: "range", id: "range-" + range.name, min: range.min, max, step: range.step });
    input.addEventListener("input", () => change(range.name, Number(input.value)));
    by("ranges").append(el("label", { for: input.id }, range.label, el("output", { id: "value-" + range.name, for: input.id }), input));
  }
}

function showRanges(settings) {
  for (const { name, text } of RANGES) {
    const input = by("range-" + name);
    input.value = settings[name];
    input.setAttribute("aria-valuetext", text(settings[name]));
    by("value-" + name).textContent = text(settings[name]);
  }
}

function isSame(a, b) {
  return RANGES.every(({ name }) => a[name] === b[name]);
}

/** What would be drawn with which probability: as it was recorded while nothing is changed, else computed. */
function drawn(step, settings) {
  const expected = step.expected;
  const recorded = isSame(settings, runSettings()) && !step.prompt && step.drawn_with !== null;
  const shaped = reshape(expected, data.betas, { ...settings, order: order() }, forbidden(step));
  if (!recorded) return { ...shaped, recorded };
  const removedBy = new Map(step.filters.flatMap((filter) => filter.removed.map((token) => [token, filter.name])));
  const rows = expected.top.map(([token, logit, p]) => ({ token, logit, p: p ?? 0, removedBy: removedBy.get(token) ?? null }));
  const removedRest = emptied(step);
  const left = removedRest === null ? Math.max(0, 1 - rows.reduce((sum, row) => sum + row.p, 0)) : 0;
  const rest = { p: left, low: left, high: left, removedBy: removedRest };
  return { rows, rest, error: 0, certain: true, recorded };
}

/** How exact the numbers are, in words. */
function exactness(step, found, settings) {
  const count = found.rows.filter((row) => row.removedBy !== ALLOWED).length;
  const others = unknownSteps(step);
  const without = others.length > 0 ? ` The run's other steps (${others.join(", ")}) are left out.` : "";
  if (found.recorded) return "As it was in the run.";
  const start = `Computed from the ${count} recorded tokens${count < found.rows.length ? " that were allowed" : ""}.`;
  if (found.rest.high === 0 && found.certain) return `${start} Exact: no other token is left.${without}`;
  if (!found.certain) {
    return `${start} How many of the other tokens are left is not recorded; they have at most ${percent(found.rest.high)}.${without}`;
  }
  const error = found.error < 5e-6 ? "to six digits" : `within ${percent(found.error)}`;
  const [low, high] = [found.rest.low, found.rest.high].map(percent);
  return `${start} The others have ${low === high ? low : `${low} to ${high}`}; all probabilities are exact ${error}.${without}`;
}

/** Rows of the distribution that are shown at first. */
const FEW = 12;

function drawPanel(index, settings, isLong) {
  const step = data.steps[index];
  by("token-heading").replaceChildren("Token ", String(step.position), ": ", piece(step.token));
  drawFacts(step);
  const expected = step.expected;
  by("sliders").hidden = by("distribution-heading").hidden = !expected;
  if (!expected) {
    by("candidates").replaceChildren();
    by("more").hidden = true;
  } else {
    const found = drawn(step, settings);
    by("exactness").textContent = exactness(step, found, settings);
    by("exactness").dataset.error = found.error;
    drawCandidates(step, found, isLong);
  }
  drawChain(step);
  drawStops(step);
}

function drawFacts(step) {
  const facts = [
    ["probability", percent(step.probability)], ["rank", String(step.rank ?? "–")],
    ["drawn with", step.drawn_with === null ? null : percent(step.drawn_with)],
    ["entropy", step.expected ? number(step.expected.entropy) + " nats" : null],
    ["surprise", step.logprob === null ? null : number(-step.logprob) + " nats"], ["logit", number(step.logit)],
    ["token id", String(step.token)],
    ["choice", step.sampling_ms === null ? null : time(step.sampling_ms)], ["pass", step.pass_ms === null ? null : time(step.pass_ms)],
  ];
  by("facts").replaceChildren(...facts.filter(([, value]) => value !== null)
    .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** The table: the model's probabilities pale, what would be drawn in strong colour on top; the longest bar is the largest of them. */
function drawCandidates(step, found, isLong) {
  const model = (logit) => Math.exp(logit - step.expected.log_sum_exp), place = standings(step.expected, model);
  longest = Math.max(model(found.rows[0].logit), ...found.rows.map((row) => row.p));
  const all = found.rows.map((row, i) => candidate(step, row, place[i].rank, model(row.logit), place[i].sum));
  const isChosen = found.rows.map((row) => row.token === step.token), early = isEarly(found.rows);
  const some = all.filter((_, i) => isLong || early[i] || isChosen[i]);
  if (!isChosen.includes(true)) some.push(outsider(step));
  const recorded = found.rows.reduce((sum, row) => sum + model(row.logit), 0);
  if (othersOf(step) > 0) some.push(restRow(step, found, Math.max(0, 1 - recorded)));
  by("candidates").replaceChildren(...some);
  const more = by("more");
  more.hidden = early.every((is) => is);
  more.textContent = isLong ? "Show fewer" : `Show all ${all.length} recorded tokens`;
  more.setAttribute("aria-expanded", String(isLong));
}

/** Rank of each recorded token, and the probability of all up to it. The likeliest follow each other; those after a gap have theirs recorded. */
function standings(expected, model) {
  const gap = expected.top.length - expected.further.length;
  let sum = 0;
  return expected.top.map(([, logit], i) => {
    sum += model(logit);
    if (i < gap) return { rank: i + 1, sum: Math.min(sum, 1) };
    const [rank, cumulative] = expected.further[i - gap];
    return { rank, sum: cumulative };
  });
}

/** Whether each row is one of the first, or of the first of those that were allowed. */
function isEarly(rows) {
  let allowed = 0;
  return rows.map((row, i) => {
    if (row.removedBy !== ALLOWED) allowed += 1;
    return i < FEW || (row.removedBy !== ALLOWED && allowed <= FEW);
  });
}

/** How many tokens are not recorded one by one. */
function othersOf(step) {
  return step.expected.rest.count + step.expected.rest.forbidden;
}

function candidate(step, row, rank, p, sum) {
  const state = [row.token === step.token ? "chosen" : "", row.removedBy ? "removed" : ""].join(" ").trim();
  const cell = (text, extra) => el("td", { class: "number" + (extra ?? "") }, text);
  return el("tr", { class: state || null, "data-token": row.token, "data-drawn": row.p, "data-model": p },
    cell(String(rank)), el("td", {}, piece(row.token), row.token === step.token ? el("span", { class: "hidden" }, " (chosen)") : null),
    el("td", { class: "bars" }, bars(p, row.p)), cell(percent(p)), cell(percent(sum), " extra"),
    cell(number(row.logit), " extra"), cell(fate(row)));
}

/** With which probability tokens are drawn, or what removed them. */
function fate({ p, removedBy }) {
  return removedBy === ALLOWED ? "not allowed" : removedBy ?? percent(p);
}

/** The chosen token, where it is not among the recorded ones. */
function outsider(step) {
  const cell = (text, extra) => el("td", { class: "number" + (extra ?? "") }, text);
  return el("tr", { class: "chosen", "data-token": step.token },
    cell(String(step.rank)), el("td", {}, piece(step.token), el("span", { class: "hidden" }, " (chosen)")),
    el("td", { class: "bars" }, bars(step.probability, step.drawn_with ?? 0)), cell(percent(step.probability)), cell("", " extra"),
    cell(number(step.logit), " extra"), cell(percent(step.drawn_with)));
}

function restRow(step, found, p) {
  const cell = (text, extra) => el("td", { class: "number" + (extra ?? "") }, text);
  const rest = found.rest;
  return el("tr", { class: rest.removedBy ? "removed" : null, id: "rest", "data-low": rest.low, "data-high": rest.high },
    cell(""), el("td", { class: "others" }, `${othersOf(step)} others`), el("td", { class: "bars" }, bars(p, rest.p)), cell(percent(p)),
    cell("", " extra"), cell("", " extra"), cell(fate(rest)));
}

/** The probability that fills a bar. */
let longest = 1;

function bars(model, draw) {
  const both = el("div", { class: "bar", "aria-hidden": "true" }, el("i"), el("b"));
  both.firstChild.style.width = `max(${model > 0 ? 1 : 0}px, ${(Math.min(1, model / longest) * 100).toFixed(2)}%)`;
  both.lastChild.style.width = `max(${draw > 0 ? 1 : 0}px, ${(Math.min(1, draw / longest) * 100).toFixed(2)}%)`;
  return both;
}

/** What each step of the chain left, as recorded. */
function drawChain(step) {
  by("chain-part").hidden = step.filters.length === 0;
  by("chain").replaceChildren(...step.filters.map((filter) => {
    const some = (tokens) => tokens.slice(0, 6).map(shown).join(" ") + (tokens.length > 6 ? ` and ${tokens.length - 6} more recorded` : "");
    const removed = filter.removed.length > 0 ? el("span", { class: "gone" }, `, without ${some(filter.removed)}`) : null;
    const changes = filter.changed ?? [];
    const changed = changes.length > 0
      ? el("span", { class: "gone" }, `, changes ${changes.slice(0, 6).map((c) => `${shown(c.token)} to ${number(c.logit)}`).join(", ")}`) : null;
    return el("li", {}, el("strong", {}, filter.name), ` ${filter.setting}: ${filter.left} left`, changed, removed);
  }));
}

function drawStops(step) {
  by("stops-part").hidden = step.stops.length === 0;
  const held = step.held_bytes > 0 ? [el("li", {}, `${step.held_bytes} bytes are held back: a condition may yet remove them`)] : [];
  by("stops").replaceChildren(...step.stops.map((stop) =>
    el("li", { class: stop.met ? "met" : null }, `${stop.name}: ${visible(stop.text)}${stop.met ? " — ends the text here" : ""}`)), ...held);
}
