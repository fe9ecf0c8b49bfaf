// Slack's own text format (mrkdwn) and rich text -> elements.
import { h, link } from "./dom.js";
import { directory } from "./directory.js";
import { codeBlock } from "./code.js";

const EMOJI = {
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌",
  warning: "⚠️", bulb: "💡", rocket: "🚀", tada: "🎉", eyes: "👀", hourglass: "⌛", hourglass_flowing_sand: "⏳",
  bar_chart: "📊", chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉", trophy: "🏆", medal: "🏅",
  first_place_medal: "🥇", second_place_medal: "🥈", third_place_medal: "🥉", star: "⭐", sparkles: "✨", fire: "🔥",
  mag: "🔍", microscope: "🔬", test_tube: "🧪", brain: "🧠", gear: "⚙️", lock: "🔒", no_entry: "⛔", stop_sign: "🛑",
  octagonal_sign: "🛑", repeat: "🔁", memo: "📝", page_facing_up: "📄", paperclip: "📎", link: "🔗", calendar: "📅",
  alarm_clock: "⏰", clock3: "🕒", question: "❓", exclamation: "❗", information_source: "ℹ️", wave: "👋", heart: "❤️",
  robot_face: "🤖", hammer_and_wrench: "🛠️", package: "📦", seedling: "🌱", arrow_right: "➡️", ok_hand: "👌",
  large_green_circle: "🟢", large_yellow_circle: "🟡", red_circle: "🔴", white_circle: "⚪", thinking_face: "🤔",
};

export const emoji = (name) => EMOJI[name.split("::")[0]] ?? `:${name}:`;

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const withEmoji = (text) => text.replace(/:([a-z0-9_+'-]+):/g, (all, name) => EMOJI[name] ?? all);

/** Text with line breaks. */
function lines(text) {
  return text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line]));
}

export const userMention = (id) => h("span", { class: id === directory.me ? "mention me" : "mention" }, `@${directory.name(id)}`);

function bracket(inside) {
  const [target, label] = inside.split("|");
  if (target.startsWith("@")) return userMention(target.slice(1));
  if (target.startsWith("#")) return h("span", { class: "mention" }, `#${label ?? directory.channelName(target.slice(1))}`);
  if (target.startsWith("!date")) return unescape(label ?? "");
  if (target.startsWith("!")) return h("span", { class: "mention" }, `@${label ?? target.slice(1).split("^")[0]}`);
  return link(unescape(target), unescape(label ?? target));
}

const INLINE = /`([^`\n]+)`|<([^>\n]+)>|(?<![\w*])\*(?=\S)([^*\n]*\S)\*(?![\w*])|(?<![\w_])_(?=\S)([^_\n]*\S)_(?![\w_])|(?<![\w~])~(?=\S)([^~\n]*\S)~(?![\w~])/g;

function inline(text) {
  const found = [];
  let done = 0;
  for (const match of text.matchAll(INLINE)) {
    found.push(...lines(withEmoji(unescape(text.slice(done, match.index)))));
    const [all, code, angle, bold, italic, strike] = match;
    if (code !== undefined) found.push(h("code", {}, unescape(code)));
    else if (angle !== undefined) found.push(bracket(angle));
    else if (bold !== undefined) found.push(h("strong", {}, inline(bold)));
    else if (italic !== undefined) found.push(h("em", {}, inline(italic)));
    else found.push(h("s", {}, inline(strike)));
    done = match.index + all.length;
  }
  found.push(...lines(withEmoji(unescape(text.slice(done)))));
  return found;
}

/** Slack's text: escaped, with *bold*, _italic_, ~strike~, `code`, fences, > quotes, <links> and mentions. */
export function mrkdwn(text) {
  return text.split(/```\n?([\s\S]*?)\n?```/).flatMap((piece, index) => {
    if (index % 2) return [codeBlock(unescape(piece), "")];
    const found = [];
    let quote = [];
    const closeQuote = () => {
      if (quote.length) found.push(h("blockquote", {}, inline(quote.join("\n"))));
      quote = [];
    };
    let plain = [];
    const closePlain = () => {
      const joined = plain.join("\n");
      if (joined) found.push(...inline(joined));
      plain = [];
    };
    for (const line of piece.split("\n")) {
      if (line.startsWith("&gt;")) {
        closePlain();
        quote.push(line.replace(/^&gt; ?/, ""));
      } else {
        closeQuote();
        plain.push(line);
      }
    }
    closeQuote();
    closePlain();
    return found;
  });
}

/** A text object: plain_text or mrkdwn. */
export const textObject = (object) => (object.type === "mrkdwn" ? mrkdwn(object.text) : lines(withEmoji(object.text)));

function styled(node, style = {}) {
  let found = node;
  if (style.code) found = h("code", {}, found);
  if (style.bold) found = h("strong", {}, found);
  if (style.italic) found = h("em", {}, found);
  if (style.strike) found = h("s", {}, found);
  return found;
}

function part(element) {
  switch (element.type) {
    case "text": return styled(h("span", {}, ...lines(withEmoji(element.text))), element.style);
    case "link": return styled(link(element.url, element.text ?? element.url), element.style);
    case "user": return userMention(element.user_id);
    case "channel": return h("span", { class: "mention" }, `#${directory.channelName(element.channel_id)}`);
    case "emoji": return emoji(element.name);
    default: return "";
  }
}

/** The elements of a rich_text block. */
export function richText(elements) {
  return elements.map((element) => {
    switch (element.type) {
      case "rich_text_preformatted":
        return codeBlock(element.elements.map((inner) => inner.text ?? inner.url ?? "").join(""), element.language ?? "");
      case "rich_text_quote": return h("blockquote", {}, element.elements.map(part));
      case "rich_text_list": {
        const items = element.elements.map((item) => h("li", {}, item.elements.map(part)));
        const list = h(element.style === "ordered" ? "ol" : "ul", { class: `indent-${element.indent ?? 0}` }, items);
        if (element.offset) list.start = element.offset + 1;
        return list;
      }
      default: return h("p", {}, element.elements.map(part));
    }
  });
}
