// `table` and `data_table`: the second can be sorted by a click on a heading, and is shown a page at a time.
import { h } from "./dom.js";
import { richText } from "./text.js";

const MINUS = "\u2212";

function content(cell) {
  if (cell.type === "rich_text") return richText(cell.elements);
  return cell.text ?? String(cell.value);
}

function sortKey(cell) {
  if (cell.type === "raw_number") return cell.value;
  const text = cell.type === "rich_text" ? JSON.stringify(cell.elements) : cell.text;
  const number = Number.parseFloat(text.replace(MINUS, "-").replace(/[%×,]/g, ""));
  return Number.isNaN(number) ? text.toLowerCase() : number;
}

const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);

const scroller = (label, table) => h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": label }, table);

export function tableBlock(block) {
  const settings = block.column_settings ?? [];
  const [head, ...body] = block.rows;
  const side = (cell, i) => settings[i]?.align ?? (cell.type === "raw_number" ? "right" : "left");
  const line = (tag, row) =>
    h("tr", {}, row.map((cell, i) => h(tag, { class: `${side(cell, i)}${settings[i]?.is_wrapped ? " wrapped" : ""}` }, content(cell))));
  return scroller("Table", h("table", {}, h("thead", {}, line("th", head)), h("tbody", {}, body.map((row) => line("td", row)))));
}

export function dataTableBlock(block) {
  const [head, ...rows] = block.rows;
  const size = block.page_size ?? 5;
  let order = null;
  let descending = false;
  let page = 0;
  const numeric = head.map((_, i) => rows.every((row) => row[i]?.type === "raw_number"));
  const headings = head.map((cell, i) => {
    const mark = h("span", { class: "sort-mark", "aria-hidden": "true" });
    const button = h("button", { type: "button", class: "sort", onclick: () => sortBy(i) }, content(cell), mark);
    return h("th", { scope: "col", class: numeric[i] ? "right" : "left" }, button);
  });
  const body = h("tbody");
  const pager = h("div", { class: "pager" });
  const box = h(
    "div",
    { class: "data-table" },
    scroller(block.caption, h("table", {}, h("caption", {}, block.caption), h("thead", {}, h("tr", {}, headings)), body)),
    pager,
  );

  function sortBy(index) {
    descending = order === index ? !descending : numeric[index];
    order = index;
    page = 0;
    draw();
  }

  function draw() {
    headings.forEach((heading, i) => {
      const now = i === order ? (descending ? "descending" : "ascending") : "none";
      heading.setAttribute("aria-sort", now);
      heading.querySelector(".sort-mark").textContent = { descending: "▾", ascending: "▴", none: "" }[now];
    });
    const sorted = order === null ? rows : rows.toSorted((a, b) => compare(sortKey(a[order]), sortKey(b[order])) * (descending ? -1 : 1));
    const header = block.row_header_column_index ?? -1;
    body.replaceChildren(
      ...sorted.slice(page * size, (page + 1) * size).map((row) =>
        h("tr", {}, row.map((cell, i) => h(i === header ? "th" : "td", { class: numeric[i] ? "right" : "left", scope: i === header ? "row" : null }, content(cell)))),
      ),
    );
    const last = Math.ceil(rows.length / size) - 1;
    pager.hidden = last < 1;
    const go = (step) => () => {
      page += step;
      draw();
    };
    pager.replaceChildren(
      h("button", { type: "button", class: "quiet", disabled: page === 0, onclick: go(-1) }, "Previous"),
      h("span", {}, `${page * size + 1}–${Math.min(rows.length, (page + 1) * size)} of ${rows.length}`),
      h("button", { type: "button", class: "quiet", disabled: page === last, onclick: go(1) }, "Next"),
    );
  }
  draw();
  return box;
}
