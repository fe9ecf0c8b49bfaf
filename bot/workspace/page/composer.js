// Where a person writes: grows with the text, completes @people and #channels, takes files.
import { h, iconButton, notice } from "./dom.js";
import { post, upload } from "./api.js";
import { directory } from "./directory.js";

const WORD = /(^|[\s(])([@#])([\w.-]*)$/;
let count = 0;

export class Composer {
  /** `sent(ts)` is called after a message went out. */
  constructor(sent) {
    this.sent = sent;
    this.place = null;
    this.files = [];
    this.drafts = new Map();
    this.options = [];
    this.chosen = 0;
    const id = `completion-${(count += 1)}`;
    this.menu = h("ul", { class: "completion", id, role: "listbox", "aria-label": "Suggestions", hidden: true });
    this.area = h("textarea", {
      rows: 1, role: "combobox", "aria-controls": id, "aria-expanded": "false", "aria-autocomplete": "list",
      oninput: () => this.changed(), onkeydown: (event) => this.key(event), onblur: () => this.closeMenu(),
      onpaste: (event) => this.add(event.clipboardData.files),
    });
    this.chips = h("div", { class: "chips" });
    this.picker = h("input", { type: "file", multiple: true, hidden: true, onchange: () => { this.add(this.picker.files); this.picker.value = ""; } });
    this.button = h("button", { type: "button", class: "send", "aria-label": "Send", title: "Send (Enter)", onclick: () => this.send() }, "➤");
    this.element = h(
      "div",
      { class: "composer", ondragover: (event) => event.preventDefault(), ondrop: (event) => { event.preventDefault(); this.add(event.dataTransfer.files); } },
      this.menu,
      this.chips,
      h("div", { class: "composer-line" }, iconButton("📎", "Attach files", () => this.picker.click()), iconButton("@", "Mention somebody", () => this.insert("@")), this.area, this.picker, this.button),
      h("div", { class: "composer-help faint" }, h("span", {}, h("kbd", {}, "Enter"), " sends, ", h("kbd", {}, "Shift"), "+", h("kbd", {}, "Enter"), " starts a new line")),
    );
  }

  /** Write to this channel, or to this thread of it. */
  aim(channel, threadTs, label) {
    const place = `${channel}/${threadTs ?? ""}`;
    if (place !== this.placeKey) {
      // What was typed while the page was still loading belongs to the first place.
      if (this.placeKey) {
        this.drafts.set(this.placeKey, this.area.value);
        this.area.value = this.drafts.get(place) ?? "";
        this.files = [];
      }
      this.placeKey = place;
      this.changed();
      this.drawChips();
    }
    this.place = { channel, thread_ts: threadTs ?? undefined };
    this.area.placeholder = label;
    this.area.setAttribute("aria-label", label);
  }

  /** Put text in front of the person, to be sent or changed. */
  fill(text) {
    this.area.value = text;
    this.changed();
    this.area.focus();
  }

  insert(text) {
    this.area.focus();
    const at = this.area.selectionStart;
    const before = this.area.value.slice(0, at);
    this.area.setRangeText(before && !/\s$/.test(before) ? ` ${text}` : text, at, at, "end");
    this.changed();
  }

  changed() {
    this.area.style.height = "auto";
    // Nothing is measured while the pane is hidden.
    if (this.area.scrollHeight) this.area.style.height = `${Math.min(this.area.scrollHeight, 220)}px`;
    this.button.disabled = !this.area.value.trim() && !this.files.length;
    this.complete();
  }

  complete() {
    const match = WORD.exec(this.area.value.slice(0, this.area.selectionStart));
    if (!match || document.activeElement !== this.area) return this.closeMenu();
    const typed = match[3].toLowerCase();
    const people = directory.users.filter((user) => !user.deleted && user.id !== directory.me);
    const found = match[2] === "@"
      ? people.toSorted((a, b) => b.is_bot - a.is_bot).map((user) => ({ name: user.name, about: user.real_name }))
      : directory.channels.filter((channel) => !channel.is_im).map((channel) => ({ name: channel.name, about: channel.topic?.value ?? "" }));
    this.options = found.filter(({ name, about }) => name.startsWith(typed) || about.toLowerCase().split(" ").some((word) => word.startsWith(typed) && typed));
    if (!this.options.length || this.options.some(({ name }) => name === typed)) return this.closeMenu();
    this.sign = match[2];
    this.typed = match[3].length;
    this.chosen = 0;
    this.drawMenu();
  }

  drawMenu() {
    this.menu.hidden = false;
    this.area.setAttribute("aria-expanded", "true");
    this.menu.replaceChildren(
      ...this.options.map(({ name, about }, index) =>
        h("li", { role: "option", id: `${this.menu.id}-${index}`, "aria-selected": String(index === this.chosen), onmousedown: (event) => { event.preventDefault(); this.take(index); } }, h("strong", {}, `${this.sign}${name}`), h("span", { class: "faint" }, about)),
      ),
    );
    this.area.setAttribute("aria-activedescendant", `${this.menu.id}-${this.chosen}`);
  }

  closeMenu() {
    this.menu.hidden = true;
    this.options = [];
    this.area.setAttribute("aria-expanded", "false");
    this.area.removeAttribute("aria-activedescendant");
  }

  take(index) {
    const at = this.area.selectionStart;
    this.area.setRangeText(`${this.options[index].name} `, at - this.typed, at, "end");
    this.closeMenu();
    this.changed();
  }

  key(event) {
    if (event.isComposing) return;
    if (this.options.length) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        this.chosen = (this.chosen + step + this.options.length) % this.options.length;
        return this.drawMenu();
      }
      if (event.key === "Enter" || event.key === "Tab") {
        event.preventDefault();
        return this.take(this.chosen);
      }
      if (event.key === "Escape") {
        event.stopPropagation();
        return this.closeMenu();
      }
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    }
  }

  add(list) {
    this.files.push(...list);
    this.drawChips();
    this.changed();
  }

  drawChips() {
    this.chips.replaceChildren(
      ...this.files.map((file, index) =>
        h("span", { class: "chip" }, file.name, iconButton("✕", `Remove ${file.name}`, () => { this.files.splice(index, 1); this.drawChips(); this.changed(); })),
      ),
    );
  }

  async send() {
    const text = this.area.value;
    const files = this.files;
    if ((!text.trim() && !files.length) || this.sending) return;
    this.sending = true;
    try {
      const ids = [];
      for (const file of files) ids.push((await upload(file)).id);
      const { ts } = await post("messages", { ...this.place, text, files: ids });
      this.files = [];
      this.area.value = "";
      this.drawChips();
      this.changed();
      this.sent(ts);
    } catch (error) {
      notice(`Not sent: ${error.message}`);
    } finally {
      this.sending = false;
      this.area.focus();
    }
  }
}
