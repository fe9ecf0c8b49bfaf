// A list of messages that is brought up to date without redrawing what did not change.
import { h } from "./dom.js";
import { directory } from "./directory.js";
import { renderMessage, seconds } from "./message.js";

const GROUP_SECONDS = 300;
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

function dayName(ts) {
  const then = new Date(seconds(ts) * 1000);
  const today = new Date();
  if (then.toDateString() === today.toDateString()) return "Today";
  today.setDate(today.getDate() - 1);
  return then.toDateString() === today.toDateString() ? "Yesterday" : day.format(then);
}

export class MessageList {
  /** `openThread` is null in the thread pane. */
  constructor(label, openThread) {
    this.openThread = openThread;
    this.shown = new Map();
    this.content = h("div", { class: "messages" });
    this.more = h("button", { type: "button", class: "more", hidden: true, onclick: () => this.toEnd() }, "↓ New messages");
    this.element = h("div", { class: "scroll", tabindex: "0", role: "log", "aria-label": label }, this.content, this.more);
    this.stuck = true;
    this.element.addEventListener("scroll", () => {
      const { scrollTop, clientHeight, scrollHeight } = this.element;
      this.stuck = scrollTop + clientHeight > scrollHeight - 40;
      if (this.stuck) this.more.hidden = true;
    });
    // Images arrive after their message: whoever reads the end keeps reading the end.
    new ResizeObserver(() => this.stuck && this.toEnd()).observe(this.content);
  }

  toEnd() {
    this.element.scrollTop = this.element.scrollHeight;
    this.stuck = true;
    this.more.hidden = true;
  }

  clear() {
    this.shown.clear();
    this.content.replaceChildren();
    this.stuck = true;
  }

  /** Show `messages`; `divide` is the ts after which they are new; `empty` is shown when there are none, `after` below the first. */
  update(channel, messages, { divide = null, empty = null, after = null } = {}) {
    const key = document.activeElement?.dataset?.key;
    const focused = key ? document.activeElement.closest("article")?.dataset.ts : null;
    const nodes = [];
    const seen = new Set();
    let before = null;
    let divided = false;
    messages.forEach((message, index) => {
      if (!before || dayName(before.ts) !== dayName(message.ts)) nodes.push(this.line(`day ${message.ts}`, () => h("div", { class: "line day", role: "separator" }, h("span", {}, dayName(message.ts))), seen));
      const isNew = divide !== null && message.ts > divide && message.user !== directory.me;
      if (isNew && !divided && index > 0) nodes.push(this.line("new", () => h("div", { class: "line new", role: "separator" }, h("span", {}, "New")), seen));
      divided ||= isNew;
      const near = before && seconds(message.ts) - seconds(before.ts) < GROUP_SECONDS && dayName(before.ts) === dayName(message.ts);
      const grouped = Boolean(near && before.user === message.user && !message.is_ephemeral && !before.is_ephemeral);
      const text = JSON.stringify([message, grouped, directory.me]);
      nodes.push(this.node(message.ts, text, () => renderMessage(message, { channel, grouped, openThread: this.openThread }), seen));
      if (after && index === 0) nodes.push(this.line(after, () => h("div", { class: "line count", role: "separator" }, h("span", {}, after)), seen));
      before = message;
    });
    for (const id of this.shown.keys()) if (!seen.has(id)) this.shown.delete(id);
    this.place(messages.length || !empty ? nodes : [empty]);
    if (focused) this.content.querySelector(`article[data-ts="${focused}"] [data-key="${CSS.escape(key)}"]`)?.focus();
  }

  node(id, text, make, seen) {
    seen.add(id);
    const known = this.shown.get(id);
    if (known?.text === text) return known.element;
    const element = make();
    this.shown.set(id, { text, element });
    return element;
  }

  line(id, make, seen) {
    return this.node(id, id, make, seen);
  }

  /** Put the nodes in their places, touching only those that are elsewhere: an untouched one keeps its scroll and focus. */
  place(nodes) {
    const last = this.content.lastElementChild;
    const wanted = new Set(nodes);
    for (const child of [...this.content.children]) if (!wanted.has(child)) child.remove();
    nodes.forEach((node, index) => {
      if (this.content.children[index] !== node) this.content.insertBefore(node, this.content.children[index] ?? null);
    });
    if (this.stuck) this.toEnd();
    else if (last?.isConnected && last !== this.content.lastElementChild) this.more.hidden = false;
  }
}
