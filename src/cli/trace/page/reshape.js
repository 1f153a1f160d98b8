// What other settings would make of recorded logits. Arithmetic only; knows no document.
//
// Of each position the likeliest tokens are recorded with their logits, likeliest first; of all others ("the rest") only their number and
// f(beta) = ln sum e^(beta x) at a few inverse temperatures beta. f is convex, so that between two known points it lies below their chord and
// above the neighbouring chords. So the share of the rest at any temperature is known within bounds, and exactly where f is known.
//
// Tokens that a grammar or a stop condition forbids at a position can come at no setting: they are left out, one by one where they are
// recorded, and the rest's f is without them.

/** The step that removes forbidden tokens, before all others. */
const ALLOWED = "allowed";

/** Bounds [lower, upper] of f(beta) of the rest, of which no logit is above `last`. */
function restBounds(rest, betas, last, beta) {
  if (rest.count === 0) return [-Infinity, -Infinity];
  const xs = [0, ...betas];
  const ys = [Math.log(rest.count), ...rest.log_sum_exp];
  const at = xs.indexOf(beta);
  if (at >= 0) return [ys[at], ys[at]];
  const line = (i, j) => ys[i] + (beta - xs[i]) * (ys[j] - ys[i]) / (xs[j] - xs[i]);
  const end = xs.length - 1;
  if (beta > xs[end]) return [line(end - 1, end), ys[end] + (beta - xs[end]) * last];
  const right = xs.findIndex((x) => x > beta);
  const lower = [];
  if (right >= 2) lower.push(line(right - 2, right - 1));
  if (right < end) lower.push(line(right, right + 1));
  return [Math.max(...lower), line(right - 1, right)];
}

/** The length of the shortest beginning of `weights` with a sum of at least `target`; one more than there are if there is none. */
function shortest(weights, target) {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i];
    if (sum >= target) return i + 1;
  }
  return weights.length + 1;
}

/**
 * Passes a position through temperature, top-k, top-p and min-p, in the order of `settings.order`, without the tokens in the set `forbidden`.
 *
 * All of them keep the likeliest tokens, so that what is left is a number of recorded ones, and all, none or a part of the rest.
 * Returns rows of {token, logit, p, removedBy}, the rest as {p, low, high, removedBy}, the largest error of a p, and whether it is
 * certain how many tokens are left.
 */
function reshape(expected, betas, settings, forbidden) {
  const allowed = expected.top.filter(([token]) => !forbidden.has(token));
  const logits = allowed.map(([, logit]) => logit);
  const peak = logits[0], last = logits[logits.length - 1];
  const removed = new Array(logits.length).fill(null);
  const { count, forbidden: barred } = expected.rest;
  const rest = { state: count > 0 ? "all" : "none", removedBy: count === 0 && barred > 0 ? ALLOWED : null };
  let kept = logits.length, beta = 1, certain = true;

  const weights = () => logits.slice(0, kept).map((x) => Math.exp(beta * (x - peak)));
  const restWeights = () => {
    if (rest.state === "none") return [0, 0];
    const [low, high] = restBounds(expected.rest, betas, last, beta).map((f) => Math.exp(f - beta * peak));
    return rest.state === "part" ? [0, high] : [low, high];
  };
  const keep = (count, name) => {
    for (let i = Math.max(count, 1); i < kept; i++) removed[i] = name;
    if (count <= logits.length && rest.state !== "none") Object.assign(rest, { state: "none", removedBy: name });
    kept = Math.min(kept, Math.max(count, 1));
  };
  const steps = {
    temperature() { beta = 1 / settings.temp; },
    top_k() {
      const k = settings.top_k;
      if (k === 0) return;
      if (k <= logits.length) keep(k, "top_k");
      else if (k < logits.length + expected.rest.count && rest.state !== "none") { rest.state = "part"; certain = false; }
    },
    top_p() {
      if (settings.top_p >= 1) return;
      const own = weights(), sum = own.reduce((a, b) => a + b, 0), [low, high] = restWeights();
      const [least, most] = [low, high].map((others) => shortest(own, settings.top_p * (sum + others)));
      if (least !== most) certain = false;
      const guess = shortest(own, settings.top_p * (sum + (low + high) / 2));
      if (guess <= kept) keep(guess, "top_p");
      else if (rest.state !== "none") { rest.state = "part"; certain = false; }
    },
    min_p() {
      if (settings.min_p <= 0) return;
      const floor = Math.log(settings.min_p) / beta;
      const count = logits.slice(0, kept).filter((x) => x - peak >= floor).length;
      if (count < kept || last - peak < floor) keep(count, "min_p");
      else if (rest.state !== "none") { rest.state = "part"; certain = false; }
    },
  };

  if (settings.temp === 0) keep(1, "greedy");
  else settings.order.forEach((name) => steps[name]());

  const own = weights(), sum = own.reduce((a, b) => a + b, 0), [low, high] = restWeights();
  const middle = rest.state === "all" ? Math.sqrt(low * high) : (low + high) / 2;
  const places = new Map(allowed.map(([token], i) => [token, i]));
  const rows = expected.top.map(([token, logit]) => {
    const i = places.get(token);
    if (i === undefined) return { token, logit, p: 0, removedBy: ALLOWED };
    return { token, logit, p: i < kept ? own[i] / (sum + middle) : 0, removedBy: removed[i] };
  });
  const error = own[0] / (sum + low) - own[0] / (sum + high);
  const share = (others) => others / (sum + others);
  return { rows, rest: { ...rest, p: share(middle), low: share(low), high: share(high) }, error, certain };
}
