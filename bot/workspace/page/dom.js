// Elements without markup strings: text is always text, so nothing that a person typed can become an element.

/** h("a", {href, class, onclick, "aria-label"}, ...children): an element. Null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** A link that leaves the page, or the plain text when the address is not one to follow. */
export function link(address, ...children) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return h("span", {}, ...children);
  }
  if (!SCHEMES.has(url.protocol)) return h("span", {}, ...children);
  return h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

/** Say something to the person for a moment. */
export function notice(text) {
  const shown = h("div", { class: "notice" }, text);
  document.getElementById("notices").append(shown);
  setTimeout(() => shown.remove(), 6000);
}

/** A button with a sign only. */
export function iconButton(sign, label, onclick, attributes = {}) {
  return h("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick, ...attributes }, sign);
}
