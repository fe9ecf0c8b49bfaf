// Who and what there is, by id.

export const directory = {
  me: "",
  bot: { id: "", name: "", connected: true },
  hasHome: false,
  users: [],
  channels: [],

  set(state) {
    Object.assign(this, { me: state.me, bot: state.bot, hasHome: state.has_home, users: state.users, channels: state.channels });
  },
  user(id) {
    return this.users.find((user) => user.id === id);
  },
  name(id) {
    return this.user(id)?.name ?? id;
  },
  realName(id) {
    return this.user(id)?.real_name ?? id;
  },
  channel(id) {
    return this.channels.find((channel) => channel.id === id);
  },
  channelName(id) {
    return this.channel(id)?.name ?? id;
  },
  /** What a channel is called where it is listed. */
  title(channel) {
    return channel.is_im ? this.realName(this.bot.id) : channel.name;
  },
};

/** A small square with the person's initials, or the bot's sign. */
const HUES = [205, 265, 330, 20, 95, 150];

export function avatar(id) {
  const box = document.createElement("span");
  box.className = "avatar";
  box.setAttribute("aria-hidden", "true");
  if (id === directory.bot.id) {
    box.classList.add("bot");
    const image = document.createElement("img");
    image.src = "/page/icon.svg";
    image.alt = "";
    box.append(image);
    return box;
  }
  const name = directory.realName(id);
  box.textContent = name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase();
  const index = directory.users.findIndex((user) => user.id === id);
  box.style.setProperty("--hue", HUES[Math.max(0, index) % HUES.length]);
  return box;
}
