// The tree of a beam search, as a picture and as a list.

const BOX = { height: 24, gap: 10, between: 40, letter: 7.25, pad: 10, longest: 34 };

/** The tree with tokens that follow each other without a choice in one node. */
function chains() {
  const children = data.beams.map(() => []);
  const roots = [];
  for (const node of data.beams) (node.parent === null ? roots : children[node.parent]).push(node.id);
  const chain = (id, depth) => {
    const ids = [id];
    while (children[ids.at(-1)].length === 1) ids.push(children[ids.at(-1)][0]);
    const last = data.beams[ids.at(-1)];
    return {
      text: ids.map((i) => data.beams[i]).map((node) => visible(node.text)).join(""),
      p: Math.exp(data.beams[id].logprob), sum: last.sum, ends: last.ends, best: last.best, first: id,
      children: children[last.id].map((child) => chain(child, depth + 1)),
    };
  };
  return roots.map((root) => chain(root, 0));
}

/** Gives each node its place: leaves below each other, others in the middle of what follows them. Returns width and height. */
function place(nodes, x = 8, y = { next: 8 }, size = { width: 0 }) {
  for (const node of nodes) {
    node.label = node.text.length > BOX.longest ? node.text.slice(0, BOX.longest - 1) + "…" : node.text;
    node.x = x;
    node.width = node.label.length * BOX.letter + 2 * BOX.pad;
    place(node.children, x + node.width + BOX.between, y, size);
    if (node.children.length === 0) {
      node.y = y.next;
      y.next += BOX.height + BOX.gap;
    } else {
      node.y = (node.children[0].y + node.children.at(-1).y) / 2;
    }
    size.width = Math.max(size.width, x + node.width + 80);
  }
  return { width: size.width, height: y.next };
}

function drawTree() {
  const roots = chains();
  const { width, height } = place(roots);
  const lines = [], boxes = [];
  const draw = (node, from) => {
    if (from) {
      const [x1, y1, x2, y2] = [from.x + from.width, from.y + BOX.height / 2, node.x, node.y + BOX.height / 2];
      const middle = (x1 + x2) / 2;
      lines.push(svg("path", {
        class: node.best ? "best" : null, "stroke-width": (1 + 4 * node.p).toFixed(2),
        d: `M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`,
      }));
    }
    const right = node.x + node.width;
    boxes.push(svg("g", { class: node.best ? "best" : null },
      svg("rect", { x: node.x, y: node.y, width: node.width, height: BOX.height, rx: 5 }),
      svg("text", { x: node.x + BOX.pad, y: node.y + 16, "xml:space": "preserve" }, node.label),
      node.ends ? svg("circle", { cx: right + 9, cy: node.y + BOX.height / 2, r: 4 }) : null,
      node.children.length === 0
        ? svg("text", { class: "sum", x: right + (node.ends ? 18 : 6), y: node.y + 16 }, number(node.sum)) : null,
      svg("title", {}, `“${node.text}”, log-probability ${number(node.sum)}, first token ${percent(node.p)}`)));
    node.children.forEach((child) => draw(child, node));
  };
  // The best last, on top of the others.
  roots.forEach((root) => draw(root, null));
  lines.sort((a, b) => a.classList.contains("best") - b.classList.contains("best"));
  by("tree").replaceChildren(svg("svg", { width, height, role: "img", "aria-label": `Tree of ${data.beams.length} tokens` }, ...lines, ...boxes));
  const best = roots.find((root) => root.best);
  if (best) by("tree").scrollTop = best.y - by("tree").clientHeight / 2;
  by("tree-list").replaceChildren(list(roots));
}

function list(nodes) {
  return el("ul", {}, ...nodes.map((node) => el("li", {},
    el("span", { class: node.best ? "best" : null }, quoted(node.text), ` ${number(node.sum)}`,
      node.ends ? ", ends" : "", node.best ? ", best" : ""),
    node.children.length > 0 ? list(node.children) : null)));
}

function quoted(text) {
  return el("span", { class: "piece" }, "“" + text + "”");
}

function drawContinuations() {
  const cell = (text) => el("td", { class: "number" }, text);
  by("continuations").replaceChildren(...data.continuations.map((found, i) => el("tr", { class: i === 0 ? "chosen" : null },
    cell(String(i + 1)), el("td", {}, visible(found.text)), cell(number(found.score, 3)), cell(number(found.logprob, 3)),
    cell(String(found.tokens.length)), el("td", {}, found.stop.reason))));
}
