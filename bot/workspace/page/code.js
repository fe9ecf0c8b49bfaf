// A block of code: language, copy button, and quiet colours for Python-like languages.
import { h, notice } from "./dom.js";

const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from global if " +
    "import in is lambda nonlocal not or pass raise return try while with yield self").split(" "),
);
const TOKEN = /(#[^\n]*)|("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(\b\d[\d_.]*(?:e[+-]?\d+)?\b)|([A-Za-z_]\w*)/g;
const COLOURED = new Set(["python", "py", ""]);

function coloured(text) {
  const found = [];
  let done = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [all, comment, string, number, word] = match;
    const kind = comment ? "comment" : string ? "string" : number ? "number" : KEYWORDS.has(word) ? "keyword" : null;
    if (!kind) continue;
    found.push(text.slice(done, match.index), h("span", { class: `tok-${kind}` }, all));
    done = match.index + all.length;
  }
  return [...found, text.slice(done)];
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notice("Copied.");
  } catch {
    notice("The browser does not let this page copy; select the text instead.");
  }
}

export function codeBlock(text, language) {
  const looksLikeCode = COLOURED.has(language.toLowerCase());
  return h(
    "figure",
    { class: "code" },
    h(
      "figcaption",
      {},
      h("span", {}, language || "code"),
      h("button", { type: "button", class: "quiet", "aria-label": "Copy this code", onclick: () => copy(text) }, "Copy"),
    ),
    h("pre", { tabindex: "0", role: "region", "aria-label": "Code" }, h("code", {}, looksLikeCode ? coloured(text) : text)),
  );
}
