// What scripts share that run in a page of `siskin trace --html`, behind its own: the distribution that it shows, and how to tell what they
// found. See tests/trace_page.rs.
"use strict";

/** The token and the table that are shown, with what is known of them. */
function shownTable() {
  const byId = (id) => document.getElementById(id), rest = byId("rest");
  const rows = [...document.querySelectorAll("#candidates tr[data-drawn]")].map((row) => {
    const { token, drawn, model } = row.dataset, cells = [...row.cells].map((cell) => cell.textContent);
    return { token: Number(token), drawn: Number(drawn), model: Number(model), rank: Number(cells[0]), sum: cells[4], last: cells.at(-1),
      chosen: row.classList.contains("chosen") };
  });
  return {
    heading: byId("token-heading").textContent,
    exactness: byId("exactness").textContent,
    error: Number(byId("exactness").dataset.error),
    rest: rest === null ? [0, 0] : [Number(rest.dataset.low), Number(rest.dataset.high)],
    others: rest === null ? "" : rest.cells[1].textContent,
    settings: Object.fromEntries([...document.querySelectorAll("#ranges output")].map((output) => [output.id, output.textContent])),
    selected: document.querySelector("#text [aria-selected='true']").id,
    hash: location.hash,
    rows,
  };
}

/** Puts what was found where the test looks for it. */
function tell(found) {
  document.body.append(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(found) }));
}
