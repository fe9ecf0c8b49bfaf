// One message.
import { h, iconButton, notice } from "./dom.js";
import { post } from "./api.js";
import { avatar, directory } from "./directory.js";
import { fileAddress, said } from "./blocks.js";
import { emoji } from "./text.js";
import { enlarge } from "./dialogs.js";

export const seconds = (ts) => Number.parseFloat(ts);
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
export const time = (ts) => clock.format(seconds(ts) * 1000);
const REACTIONS = ["+1", "-1", "eyes", "tada"];

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${Math.round(bytes / 1024)} kB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

function attachment(file) {
  const address = fileAddress(file);
  if (["image/png", "image/jpeg", "image/gif", "image/webp"].includes(file.mimetype)) {
    const label = file.alt_txt ?? file.title;
    return h(
      "figure",
      { class: "picture" },
      h("figcaption", {}, file.title),
      h("button", { type: "button", class: "enlarge", "aria-label": `Enlarge: ${label}`, onclick: () => enlarge(address, file.title) }, h("img", { src: address, alt: label })),
    );
  }
  const about = file.mimetype ? `${file.pretty_type} · ${size(file.size)}` : "being processed …";
  return h("a", { class: "file", href: address, download: file.name }, h("span", { class: "file-sign", "aria-hidden": "true" }, "📄"), h("span", {}, h("strong", {}, file.title), h("small", {}, about)));
}

async function act(channel, message, block, element, value) {
  const where = { channel, message_ts: message.ts, block_id: block.block_id, action_id: element.action_id };
  try {
    const { acknowledged } = await post("actions", { ...where, value });
    if (!acknowledged) notice(`${directory.realName(directory.bot.id)} did not answer in time. Please try again.`);
  } catch (error) {
    notice(error.message);
  }
}

async function react(channel, ts, name) {
  try {
    await post("reactions", { channel, ts, name });
  } catch (error) {
    notice(error.message);
  }
}

function reactions(channel, message) {
  if (!message.reactions?.length) return null;
  return h(
    "div",
    { class: "reactions" },
    message.reactions.map(({ name, users, count }) => {
      const mine = users.includes(directory.me);
      const people = users.map((id) => directory.realName(id)).join(", ");
      return h("button", { type: "button", class: "reaction", "aria-pressed": String(mine), title: `${people}: ${name}`, onclick: () => react(channel, message.ts, name) }, emoji(name), " ", count);
    }),
  );
}

function repliesLine(message, openThread) {
  if (!message.reply_count) return null;
  const people = message.reply_users.slice(0, 3).map((id) => avatar(id));
  const count = `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`;
  return h("button", { type: "button", class: "replies", onclick: () => openThread(message.ts) }, people, h("strong", {}, count), h("span", { class: "faint" }, `Last reply at ${time(message.latest_reply)}`));
}

/**
 * A message as it is shown in `channel`. `grouped`: it follows one of the same author, so its head is left out.
 * `openThread` is null where the message already is in the thread pane.
 */
export function renderMessage(message, { channel, grouped, openThread }) {
  const author = directory.realName(message.user);
  const context = { act: (block, element, value) => act(channel, message, block, element, value), presses: message.presses ?? {} };
  const stamp = h("time", { datetime: new Date(seconds(message.ts) * 1000).toISOString(), title: full.format(seconds(message.ts) * 1000) }, time(message.ts));
  const head = h("div", { class: "head" }, h("strong", { class: "author" }, author), message.bot_id ? h("span", { class: "badge" }, "App") : null, stamp);
  const tools = message.is_ephemeral
    ? null
    : h(
        "div",
        { class: "tools", role: "group", "aria-label": "Message actions" },
        REACTIONS.map((name) => iconButton(emoji(name), `React with ${name}`, () => react(channel, message.ts, name))),
        openThread ? iconButton("💬", "Reply in thread", () => openThread(message.ts)) : null,
      );
  const broadcast = message.subtype === "thread_broadcast" && openThread
    ? h("button", { type: "button", class: "quiet", onclick: () => openThread(message.thread_ts) }, "replied to a thread")
    : null;
  return h(
    "article",
    { class: `message${grouped ? " grouped" : ""}${message.is_ephemeral ? " ephemeral" : ""}`, "aria-label": `${author}, ${time(message.ts)}`, "data-ts": message.ts },
    h("div", { class: "gutter" }, grouped ? stamp.cloneNode(true) : avatar(message.user)),
    h(
      "div",
      { class: "body" },
      message.is_ephemeral ? h("div", { class: "only-you" }, "👁 Only visible to you") : null,
      grouped ? null : head,
      broadcast,
      said(message, context),
      message.edited ? h("span", { class: "edited", title: full.format(seconds(message.edited.ts) * 1000) }, "(edited)") : null,
      message.files?.length ? h("div", { class: "files" }, message.files.map(attachment)) : null,
      reactions(channel, message),
      openThread && !message.is_ephemeral ? repliesLine(message, openThread) : null,
    ),
    tools,
  );
}
