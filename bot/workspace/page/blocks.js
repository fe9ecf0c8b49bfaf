// Block Kit blocks -> elements. `context` says where they are shown:
//   {act(block, element, value), presses: {block_id: {action_id: value}}, values: Map of a modal's inputs or null}
import { h, link } from "./dom.js";
import { directory } from "./directory.js";
import { markdown } from "./markdown.js";
import { mrkdwn, richText, textObject } from "./text.js";
import { dataTableBlock, tableBlock } from "./table.js";
import { confirmation, enlarge } from "./dialogs.js";

/** The address at which this page may show an image of Slack's. */
export function fileAddress(file) {
  const id = file.id ?? /\/files\/(F[A-Z0-9]+)\//.exec(file.url ?? "")?.[1];
  return id ? `/local/files/${encodeURIComponent(id)}` : null;
}

function image(block, className) {
  const address = block.slack_file ? fileAddress(block.slack_file) : null;
  if (!address) return link(block.image_url, block.alt_text || block.image_url);
  const title = block.title?.text ?? "";
  return h(
    "button",
    { type: "button", class: className, "aria-label": `Enlarge: ${block.alt_text}`, onclick: () => enlarge(address, title || block.alt_text) },
    h("img", { src: address, alt: block.alt_text }),
  );
}

function sure(element, run) {
  return () => (element.confirm ? confirmation(element.confirm, run) : run());
}

function button(block, element, context) {
  const run = () => {
    if (element.url) window.open(element.url, "_blank", "noopener");
    context.act(block, element, element.value ?? null);
  };
  const style = element.style ? `button ${element.style}` : "button";
  const label = element.accessibility_label ?? null;
  const key = `${block.block_id}/${element.action_id}`;
  return h("button", { type: "button", class: style, "aria-label": label, "data-key": key, onclick: sure(element, run) }, textObject(element.text));
}

const SIGN = /^\p{Extended_Pictographic}/u;

function feedback(block, element, context) {
  const pressed = context.presses?.[block.block_id]?.[element.action_id];
  const one = (option, sign) => {
    const text = option.text.text;
    const now = pressed === option.value;
    return h(
      "button",
      {
        type: "button",
        class: "vote",
        "aria-pressed": String(now),
        "aria-label": option.accessibility_label ?? null,
        "data-key": `${block.block_id}/${element.action_id}/${option.value}`,
        title: now ? "Your vote; choose the other to change it" : null,
        onclick: () => context.act(block, element, option.value),
      },
      SIGN.test(text) ? null : h("span", { class: "sign", "aria-hidden": "true" }, sign),
      textObject(option.text),
    );
  };
  return h("span", { class: "votes", role: "group", "aria-label": "Feedback" }, one(element.positive_button, "👍"), one(element.negative_button, "👎"));
}

function iconButtonElement(block, element, context) {
  const visible = element.visible_to_user_ids;
  if (visible && !visible.includes(directory.me)) return null;
  const run = () => context.act(block, element, element.value ?? null);
  const label = element.accessibility_label ?? element.text.text;
  return h("button", { type: "button", class: "icon", title: element.text.text, "aria-label": label, onclick: sure(element, run) }, "🗑");
}

const allOptions = (element) => (element.option_groups ?? [element]).flatMap((group) => group.options);

function select(block, element, context) {
  const chosen = context.values?.get(block.block_id) ?? context.presses?.[block.block_id]?.[element.action_id] ?? element.initial_option?.value ?? "";
  const entry = (option) => h("option", { value: option.value, selected: option.value === chosen }, option.text.text);
  const options = element.option_groups
    ? element.option_groups.map((group) => h("optgroup", { label: group.label.text }, group.options.map(entry)))
    : element.options.map(entry);
  const label = element.placeholder?.text ?? "Choose";
  const name = block.type === "input" ? block.label.text : label;
  const choose = (event) => {
    if (block.type === "input") context.values.set(block.block_id, event.target.value);
    else if (event.target.value) sure(element, () => context.act(block, element, event.target.value))();
  };
  return h("select", { "aria-label": name, "data-key": `${block.block_id}/${element.action_id}`, onchange: choose }, h("option", { value: "", selected: !chosen }, label), options);
}

function overflow(block, element, context) {
  const choose = (option) => (event) => {
    event.target.closest("details").open = false;
    if (option.url) window.open(option.url, "_blank", "noopener");
    sure(element, () => context.act(block, element, option.value))();
  };
  const items = element.options.map((option) => h("button", { type: "button", onclick: choose(option) }, textObject(option.text)));
  return h("details", { class: "overflow" }, h("summary", { "aria-label": "More actions" }, "⋯"), h("div", { class: "menu" }, items));
}

function choices(block, element, context) {
  const many = element.type === "checkboxes";
  const group = `${block.block_id}-${element.action_id}`;
  const initial = many ? (element.initial_options ?? []).map((option) => option.value) : [element.initial_option?.value];
  const current = context.values?.get(block.block_id) ?? context.presses?.[block.block_id]?.[element.action_id] ?? initial;
  const on = new Set([current].flat());
  const change = (option) => (event) => {
    if (block.type !== "input") return context.act(block, element, option.value);
    if (many) event.target.checked ? on.add(option.value) : on.delete(option.value);
    context.values.set(block.block_id, many ? allOptions(element).map((o) => o.value).filter((v) => on.has(v)) : option.value);
  };
  return h(
    "fieldset",
    { class: "choices" },
    allOptions(element).map((option) => {
      const box = h("input", { type: many ? "checkbox" : "radio", name: group, onchange: change(option) });
      box.checked = on.has(option.value);
      return h("label", {}, box, h("span", {}, textObject(option.text), option.description ? h("small", {}, textObject(option.description)) : null));
    }),
  );
}

function textInput(block, element, context) {
  const value = context.values.get(block.block_id) ?? element.initial_value ?? "";
  context.values.set(block.block_id, value);
  const attributes = {
    "aria-label": block.label.text,
    placeholder: element.placeholder?.text ?? null,
    maxlength: element.max_length ?? 3000,
    minlength: element.min_length ?? null,
    oninput: (event) => context.values.set(block.block_id, event.target.value),
  };
  const input = element.multiline ? h("textarea", { rows: 4, ...attributes }) : h("input", { type: "text", ...attributes });
  input.value = value;
  return input;
}

function interactive(block, element, context) {
  switch (element.type) {
    case "button": return button(block, element, context);
    case "feedback_buttons": return feedback(block, element, context);
    case "icon_button": return iconButtonElement(block, element, context);
    case "static_select": return select(block, element, context);
    case "overflow": return overflow(block, element, context);
    case "checkboxes":
    case "radio_buttons": return choices(block, element, context);
    case "plain_text_input": return textInput(block, element, context);
    case "image": return image(element, "thumbnail");
    case "mrkdwn":
    case "plain_text": return h("span", {}, textObject(element));
    default: return null;
  }
}

function section(block, context) {
  const fields = block.fields?.map((field) => h("div", {}, textObject(field)));
  return h(
    "div",
    { class: "block section" },
    h("div", { class: "section-text" }, block.text ? h("div", {}, textObject(block.text)) : null, fields ? h("div", { class: "fields" }, fields) : null),
    block.accessory ? h("div", { class: "accessory" }, interactive(block, block.accessory, context)) : null,
  );
}

function input(block, context) {
  return h(
    "div",
    { class: "block input", "data-block": block.block_id },
    h("div", { class: "label" }, block.label.text, block.optional ? h("span", { class: "faint" }, " (optional)") : null),
    interactive(block, block.element, context),
    block.hint ? h("small", { class: "faint" }, block.hint.text) : null,
    h("div", { class: "error", role: "alert" }),
  );
}

/** One block. A kind that this page does not know is named, never dropped in silence. */
function one(block, context) {
  const elements = () => block.elements.map((element) => interactive(block, element, context));
  switch (block.type) {
    case "section": return section(block, context);
    case "divider": return h("hr", { class: "block" });
    case "header": return h("h3", { class: "block header" }, textObject(block.text));
    case "image":
      return h("figure", { class: "block picture" }, block.title ? h("figcaption", {}, textObject(block.title)) : null, image(block, "enlarge"));
    case "context": return h("div", { class: "block context" }, elements());
    case "actions": return h("div", { class: "block actions" }, elements());
    case "context_actions": return h("div", { class: "block context-actions" }, elements());
    case "markdown": return h("div", { class: "block markdown" }, markdown(block.text));
    case "rich_text": return h("div", { class: "block rich" }, richText(block.elements));
    case "table": return h("div", { class: "block" }, tableBlock(block));
    case "data_table": return h("div", { class: "block" }, dataTableBlock(block));
    case "input": return input(block, context);
    default: return h("div", { class: "block faint" }, `[a block of the kind ${block.type}]`);
  }
}

/** Blocks; pictures that follow each other stand side by side. */
export function renderBlocks(blocks, context) {
  const found = [];
  blocks.forEach((block, index) => {
    const picture = block.type === "image";
    if (picture && blocks[index - 1]?.type === "image") found.at(-1).append(one(block, context));
    else if (picture && blocks[index + 1]?.type === "image") found.push(h("div", { class: "block gallery" }, one(block, context)));
    else found.push(one(block, context));
  });
  return found;
}

/** What a message says: its blocks, or else its text. */
export function said(message, context) {
  if (message.blocks?.length) return renderBlocks(message.blocks, context);
  return message.text ? [h("div", { class: "block plain" }, mrkdwn(message.text))] : [];
}
