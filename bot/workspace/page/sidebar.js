// Channels, direct messages, and who one is.
import { h } from "./dom.js";
import { avatar, directory } from "./directory.js";

function entry(channel, current, go) {
  const sign = channel.is_im ? avatar(directory.bot.id) : h("span", { class: "hash", "aria-hidden": "true" }, "#");
  const title = directory.title(channel);
  const unread = channel.unread ? h("span", { class: "unread-count", "aria-label": `${channel.unread} unread` }, channel.unread > 99 ? "99+" : channel.unread) : null;
  const presence = channel.is_im
    ? h("span", { class: `presence ${directory.bot.connected ? "on" : "off"}`, title: directory.bot.connected ? "running" : "not running" })
    : null;
  return h(
    "li",
    {},
    h("button", { type: "button", class: channel.unread ? "channel unread" : "channel", "aria-current": channel.id === current ? "page" : null, onclick: () => go(channel.id) }, sign, h("span", { class: "channel-name" }, title), presence, unread),
  );
}

let drawn = "";

export function drawSidebar(nav, current, { go, switchUser }) {
  const key = JSON.stringify([directory.me, directory.bot, directory.users, directory.channels, current]);
  if (key === drawn) return;
  drawn = key;
  const people = directory.users.filter((user) => !user.is_bot && !user.deleted);
  const list = (title, channels) =>
    h("section", {}, h("h2", {}, title), h("ul", {}, channels.map((channel) => entry(channel, current, go))));
  const focused = nav.contains(document.activeElement) ? document.activeElement.id : null;
  nav.replaceChildren(
    h("div", { class: "brand" }, h("img", { src: "/page/icon.svg", alt: "" }), h("div", {}, h("strong", {}, "Conjecture"), h("span", {}, "Local workspace"))),
    list("Channels", directory.channels.filter((channel) => !channel.is_im)),
    list("Direct messages", directory.channels.filter((channel) => channel.is_im)),
    h(
      "div",
      { class: "who" },
      avatar(directory.me),
      h(
        "label",
        {},
        h("span", {}, "You are"),
        h("select", { id: "who", onchange: (event) => switchUser(event.target.value) }, people.map((user) => h("option", { value: user.id, selected: user.id === directory.me }, `${user.real_name}${user.is_restricted ? " (guest)" : ""}`))),
      ),
    ),
  );
  if (focused) document.getElementById(focused)?.focus();
}
