"use strict";
// Adds sorting, links from numbers to cells, and open details in print; all can be read without.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// ---- sorting: within the rows of one role, as reference and controls do not compete

function valueOf(row, index) {
  if (index < 0) return row.querySelector("th").textContent;
  const text = row.querySelectorAll("td")[index].dataset.value;
  return text === "" ? null : Number(text);
}

function compare(a, b, way) {
  if (a === null || b === null) return (a === null) - (b === null); // what is empty stays last
  return way * (typeof a === "string" ? a.localeCompare(b) : a - b);
}

function sort(table, header, index) {
  const order = ["none", "ascending", "descending"];
  if (header.dataset.better === "higher") order.splice(1, 2, "descending", "ascending");
  const before = header.getAttribute("aria-sort") || "none";
  const next = order[(order.indexOf(before) + 1) % order.length];
  for (const other of all("[aria-sort]", table)) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", next);
  for (const body of table.tBodies) {
    const rows = [...body.rows].sort((a, b) =>
      next === "none"
        ? a.dataset.place - b.dataset.place
        : compare(valueOf(a, index), valueOf(b, index), next === "ascending" ? 1 : -1));
    body.append(...rows);
  }
}

function makeSortable(table) {
  all("tbody tr", table).forEach((row, place) => { row.dataset.place = place; });
  const headers = [table.querySelector("thead th"), ...all("thead th[data-column]", table)];
  headers.forEach((header, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, header, place - 1));
    header.append(button);
    header.setAttribute("aria-sort", "none");
  });
}

// ---- from a number to its cell

function linkCells(part) {
  const { protocol, method } = part.dataset; // a method where the rows are sensors
  const known = new Map();
  // A stale cell is where a number leads only if there is no other.
  for (const cell of [...all("details.cell:not(.stale)"), ...all("details.cell.stale")]) {
    if (cell.dataset.protocol !== protocol) continue;
    if (method && cell.dataset.method !== method) continue;
    const row = method ? cell.dataset.sensor : cell.dataset.method;
    for (const column of cell.dataset.columns.split(" ")) {
      const key = row + "\n" + column;
      if (!known.has(key)) known.set(key, cell.id);
    }
  }
  const columns = all("thead th[data-column]", part).map((header) => header.dataset.column);
  for (const row of all("tbody tr", part)) {
    all("td", row).forEach((td, place) => {
      const id = known.get(row.dataset.method + "\n" + columns[place]);
      const mean = td.querySelector(".mean");
      if (!id || !mean) return;
      const link = document.createElement("a");
      link.href = "#" + id;
      link.append(...mean.childNodes);
      mean.append(link);
    });
  }
}

function openTarget() {
  let place = document.getElementById(location.hash.slice(1));
  const target = place;
  for (; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
  if (target && target.tagName === "DETAILS") target.scrollIntoView();
}

// ---- print

let closed = [];
addEventListener("beforeprint", () => {
  closed = all("details:not([open])");
  for (const one of closed) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of closed) one.open = false;
});

for (const table of all(".vtbench-table table")) makeSortable(table);
for (const part of all("[data-table]")) linkCells(part);
addEventListener("hashchange", openTarget);
openTarget();
