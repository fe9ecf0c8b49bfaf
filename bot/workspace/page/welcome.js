// What an empty channel says: what to do first.
import { h } from "./dom.js";
import { directory } from "./directory.js";

const EXAMPLES = [
  ["Propose and test", "propose 8 activation functions for small image classifiers"],
  ["Another kind", "propose 4 regularizers that keep weights small without hurting accuracy"],
  ["What else?", "help"],
];

/** Shown instead of messages; `fill` puts a request into the composer. */
export function welcome(channel, fill) {
  if (!channel.is_im && channel.name !== "research") {
    return h("div", { class: "welcome" }, h("h2", {}, `This is the beginning of #${channel.name}`));
  }
  const at = channel.is_im ? "" : `@${directory.bot.name} `;
  return h(
    "div",
    { class: "welcome" },
    h("img", { src: "/page/icon.svg", alt: "" }),
    h("h2", {}, "Ask for an idea, get it tested"),
    h("p", {}, "Conjecture proposes machine-learning components, runs each one in a sealed container, and answers in the thread with a ranking of what survived. Choose an example, change it if you like, and press Enter."),
    h(
      "div",
      { class: "examples" },
      EXAMPLES.map(([title, text]) => h("button", { type: "button", class: "example", onclick: () => fill(`${at}${text}`) }, h("small", {}, title), h("span", {}, `${at}${text}`))),
    ),
  );
}
