// Standard markdown (Slack's `markdown` block) -> elements: headings, lists, tasks, tables, fences, quotes, inline marks.
import { h, link } from "./dom.js";
import { codeBlock } from "./code.js";
import { userMention } from "./text.js";

const INLINE = new RegExp(
  [
    "(?<tick>`+)(?<code>[\\s\\S]*?[^`])\\k<tick>(?!`)",
    "\\\\(?<escaped>[\\\\`*_{}\\[\\]()#+\\-.!~|<>])",
    "!?\\[(?<label>(?:[^\\[\\]]|\\[[^\\]]*\\])*)\\]\\((?<target>[^\\s()]*(?:\\([^\\s()]*\\)[^\\s()]*)*)(?:\\s+\"[^\"]*\")?\\)",
    "<(?<auto>https?://[^>\\s]+)>",
    "<@(?<user>[A-Z0-9]+)>",
    "(?<bare>https?://[^\\s<>]*[^\\s<>.,;:!?)\\]'\"])",
    "(?<strongMark>\\*\\*|__)(?=\\S)(?<strong>[\\s\\S]*?\\S)\\k<strongMark>",
    "\\*(?=[^\\s*])(?<star>[^*\\n]*[^\\s*])\\*(?!\\*)",
    "(?<![\\w_])_(?=[^\\s_])(?<under>[^_\\n]*[^\\s_])_(?![\\w_])",
    "~~(?=\\S)(?<strike>[\\s\\S]*?\\S)~~",
    "(?<line>\\n)",
  ].join("|"),
  "g",
);

function inline(text) {
  const found = [];
  let done = 0;
  for (const match of text.matchAll(INLINE)) {
    found.push(text.slice(done, match.index));
    const g = match.groups;
    if (g.code !== undefined) found.push(h("code", {}, g.code.trim()));
    else if (g.escaped !== undefined) found.push(g.escaped);
    else if (g.label !== undefined) found.push(link(g.target, inline(g.label || g.target)));
    else if (g.auto !== undefined) found.push(link(g.auto, g.auto));
    else if (g.user !== undefined) found.push(userMention(g.user));
    else if (g.bare !== undefined) found.push(link(g.bare, g.bare));
    else if (g.strong !== undefined) found.push(h("strong", {}, inline(g.strong)));
    else if (g.star !== undefined) found.push(h("em", {}, inline(g.star)));
    else if (g.under !== undefined) found.push(h("em", {}, inline(g.under)));
    else if (g.strike !== undefined) found.push(h("s", {}, inline(g.strike)));
    else found.push(h("br"));
    done = match.index + match[0].length;
  }
  return [...found, text.slice(done)];
}

const FENCE = /^ {0,3}(```+|~~~+)\s*(\S*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d+[.)])\s+(.*)$/;
const DELIMITER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

const startsTable = (lines, at) => lines[at].includes("|") && DELIMITER.test(lines[at + 1] ?? "");

/** The cells of one line of a table; a `|` inside code or after a backslash is text. */
function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  const found = [""];
  let code = false;
  for (let i = 0; i < inner.length; i += 1) {
    if (inner[i] === "\\" && inner[i + 1] === "|") {
      found[found.length - 1] += "|";
      i += 1;
    } else if (inner[i] === "|" && !code) found.push("");
    else {
      if (inner[i] === "`") code = !code;
      found[found.length - 1] += inner[i];
    }
  }
  return found.map((cell) => cell.trim());
}

function table(rows, delimiter) {
  const sides = cells(delimiter).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : "left"));
  const line = (tag, row) =>
    h("tr", {}, row.map((cell, i) => h(tag, { class: sides[i] ?? "left", scope: tag === "th" ? "col" : null }, inline(cell))));
  const [head, ...body] = rows.map(cells);
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Table" },
    h("table", {}, h("thead", {}, line("th", head)), h("tbody", {}, body.map((row) => line("td", row)))),
  );
}

function task(text) {
  const match = /^\[([ xX])\]\s+(.*)$/s.exec(text);
  if (!match) return inline(text);
  const box = h("input", { type: "checkbox", disabled: true, "aria-label": match[1] === " " ? "to do" : "done" });
  box.checked = match[1] !== " ";
  return [box, " ", inline(match[2])];
}

/** A list from `lines[start]` on, with its nested lists. Returns [element, next line]. */
function list(lines, start) {
  const [, indent, mark] = ITEM.exec(lines[start]);
  const ordered = /\d/.test(mark);
  const element = h(ordered ? "ol" : "ul");
  if (ordered) element.start = Number.parseInt(mark, 10);
  let at = start;
  while (at < lines.length) {
    const match = ITEM.exec(lines[at]);
    if (!match || match[1].length < indent.length) break;
    if (match[1].length > indent.length + 1) {
      const [inner, next] = list(lines, at);
      (element.lastElementChild ?? element).append(inner);
      at = next;
      continue;
    }
    if (/\d/.test(match[2]) !== ordered) break;
    let text = match[3];
    at += 1;
    while (at < lines.length && /^\s{2,}\S/.test(lines[at]) && !ITEM.test(lines[at])) {
      text += `\n${lines[at].trim()}`;
      at += 1;
    }
    element.append(h("li", {}, task(text)));
  }
  return [element, at];
}

/** Markdown -> elements. */
export function markdown(text) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const found = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    if (!line.trim()) {
      at += 1;
    } else if (fence) {
      const body = [];
      at += 1;
      while (at < lines.length && !lines[at].trim().startsWith(fence[1])) body.push(lines[at++]);
      at += 1;
      found.push(codeBlock(body.join("\n"), fence[2]));
    } else if (heading) {
      found.push(h(`h${Math.min(heading[1].length + 2, 6)}`, { class: `md-${heading[1].length}` }, inline(heading[2])));
      at += 1;
    } else if (RULE.test(line)) {
      found.push(h("hr"));
      at += 1;
    } else if (/^\s*>/.test(line)) {
      const quoted = [];
      while (at < lines.length && /^\s*>/.test(lines[at])) quoted.push(lines[at++].replace(/^\s*> ?/, ""));
      found.push(h("blockquote", {}, markdown(quoted.join("\n"))));
    } else if (ITEM.test(line)) {
      const [element, next] = list(lines, at);
      found.push(element);
      at = next;
    } else if (startsTable(lines, at)) {
      const rows = [line];
      const delimiter = lines[at + 1];
      at += 2;
      while (at < lines.length && lines[at].trim() && lines[at].includes("|")) rows.push(lines[at++]);
      found.push(table(rows, delimiter));
    } else {
      const paragraph = [line];
      at += 1;
      const ends = (next) => !next.trim() || [FENCE, HEADING, RULE, ITEM].some((mark) => mark.test(next)) || /^\s*>/.test(next);
      while (at < lines.length && !ends(lines[at]) && !startsTable(lines, at)) paragraph.push(lines[at++]);
      found.push(h("p", {}, inline(paragraph.join("\n"))));
    }
  }
  return found;
}
