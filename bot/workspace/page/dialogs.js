// What opens over the page: a large image, a confirmation, a modal of the bot.
import { h, iconButton, notice } from "./dom.js";
import { post } from "./api.js";
import { renderBlocks } from "./blocks.js";

function show(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

/** One image as large as the window allows; a click or Escape closes it. */
export function enlarge(address, title) {
  const dialog = h(
    "dialog",
    { class: "lightbox", "aria-label": title, onclick: () => dialog.close() },
    h("header", {}, h("span", {}, title), h("a", { href: address, download: `${title || "image"}.png`, onclick: (event) => event.stopPropagation() }, "Download"), iconButton("✕", "Close", () => dialog.close())),
    h("img", { src: address, alt: title }),
  );
  show(dialog);
}

/** Slack's confirmation object, then `run`. */
export function confirmation(confirm, run) {
  const dialog = h(
    "dialog",
    { class: "modal small", "aria-label": confirm.title.text },
    h("header", {}, h("h2", {}, confirm.title.text)),
    h("div", { class: "modal-body" }, confirm.text.text),
    h(
      "footer",
      {},
      h("button", { type: "button", class: "button", onclick: () => dialog.close() }, confirm.deny.text),
      h("button", { type: "button", class: `button ${confirm.style ?? "primary"}`, onclick: () => { dialog.close(); run(); } }, confirm.confirm.text),
    ),
  );
  show(dialog);
}

let open = null; // {id, hash, dialog, values}

function showErrors(dialog, errors) {
  for (const box of dialog.querySelectorAll("[data-block]")) {
    box.querySelector(".error").textContent = errors[box.dataset.block] ?? "";
  }
  dialog.querySelector("[data-block] .error:not(:empty)")?.scrollIntoView({ block: "center" });
}

async function submit(view) {
  const { dialog, values } = open;
  try {
    const answer = await post("views/submit", { view_id: view.id, values: Object.fromEntries(values) });
    showErrors(dialog, answer.errors);
    if (answer.message) notice(answer.message);
  } catch (error) {
    notice(error.message);
  }
}

const textOf = (object, otherwise) => object?.text ?? otherwise;

/** Show the topmost of the bot's modals, or none. */
export function showModals(modals) {
  const view = modals.at(-1);
  if (open && open.id === view?.id && open.hash === view?.hash) return;
  const values = open && open.id === view?.id ? open.values : new Map();
  if (open) {
    open.dialog.dataset.replaced = "yes";
    open.dialog.close();
    open = null;
  }
  if (!view) return;
  const act = (block, element, value) =>
    post("actions", { view_id: view.id, block_id: block.block_id, action_id: element.action_id, value }).catch((error) => notice(error.message));
  const dialog = h(
    "dialog",
    { class: "modal", "aria-label": textOf(view.title, "Dialog") },
    h("header", {}, h("h2", {}, textOf(view.title, "")), iconButton("✕", "Close", () => dialog.close())),
    h("div", { class: "modal-body" }, renderBlocks(view.blocks, { act, values, presses: {} })),
    h(
      "footer",
      {},
      h("button", { type: "button", class: "button", onclick: () => dialog.close() }, textOf(view.close, "Cancel")),
      view.submit ? h("button", { type: "button", class: "button primary", onclick: () => submit(view) }, view.submit.text) : null,
    ),
  );
  dialog.addEventListener("close", () => {
    if (dialog.dataset.replaced) return;
    open = null;
    post("views/close", { view_id: view.id }).catch((error) => notice(error.message));
  });
  open = { id: view.id, hash: view.hash, dialog, values };
  show(dialog);
}
