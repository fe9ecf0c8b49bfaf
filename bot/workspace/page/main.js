// The page: a sidebar, a channel, a thread. The address says which: #/<channel>/<thread>.
import { h, iconButton, notice } from "./dom.js";
import { actAs, currentUser, get, live, post } from "./api.js";
import { avatar, directory } from "./directory.js";
import { Composer } from "./composer.js";
import { MessageList } from "./messages.js";
import { renderBlocks } from "./blocks.js";
import { showModals } from "./dialogs.js";
import { drawSidebar } from "./sidebar.js";
import { welcome } from "./welcome.js";

const sidebar = document.getElementById("sidebar");
const main = document.getElementById("channel");
const aside = document.getElementById("thread");
const at = { channel: null, thread: null, tab: "messages", divide: null, home: null };
const statuses = new Map(); // thread -> {text, timer}

const list = new MessageList("Messages", openThread);
const composer = new Composer(() => list.toEnd());
const threadList = new MessageList("Thread", null);
const threadComposer = new Composer(() => threadList.toEnd());
const main_head = h("header", { class: "pane-head" });
const banner = h("div", { class: "banner", role: "status", hidden: true });
const homeView = h("div", { class: "scroll home", hidden: true });
const statusLine = h("div", { class: "status faint", role: "status" });
const threadTitle = h("div", { class: "pane-title" });
const wide = iconButton("⇔", "Widen the thread", () => document.body.classList.toggle("wide-thread"));
main.append(main_head, banner, list.element, homeView, composer.element);
aside.append(
  h("header", { class: "pane-head" }, threadTitle, wide, iconButton("✕", "Close the thread", closeThread)),
  threadList.element,
  statusLine,
  threadComposer.element,
);

function go(channel, thread = null) {
  location.hash = thread ? `#/${channel}/${thread}` : `#/${channel}`;
}

function openThread(ts) {
  go(at.channel, ts);
  threadComposer.area.focus({ preventScroll: true });
}

function closeThread() {
  go(at.channel);
}

/** The channel and thread in the address; a permalink (/archives/...) is turned into the page's own form. */
function address() {
  const permalink = /^\/archives\/(\w+)(?:\/p(\d{10})(\d{6}))?/.exec(location.pathname);
  if (permalink) {
    const [, channel, high, low] = permalink;
    const thread = new URLSearchParams(location.search).get("thread_ts") ?? (high ? `${high}.${low}` : null);
    history.replaceState(null, "", `/#/${channel}${thread ? `/${thread}` : ""}`);
  }
  const [, channel, thread] = location.hash.split("/");
  return { channel: channel || null, thread: thread || null };
}

async function readState() {
  directory.set(await get("state"));
  drawSidebar(sidebar, at.channel, { go, switchUser });
  const name = directory.realName(directory.bot.id);
  banner.hidden = directory.bot.connected;
  banner.textContent = `${name} is not running at the moment. What you write is kept and reaches it when it is back.`;
}

function drawHead() {
  const channel = directory.channel(at.channel);
  const title = channel.is_im ? h("h1", {}, avatar(directory.bot.id), directory.title(channel)) : h("h1", {}, h("span", { class: "hash" }, "#"), channel.name);
  const tab = (name, label) =>
    h("button", { type: "button", role: "tab", "aria-selected": String(at.tab === name), onclick: () => openTab(name) }, label);
  main_head.replaceChildren(
    iconButton("☰", "Channels", () => document.body.classList.toggle("menu-open"), { class: "icon menu-button" }),
    h("div", { class: "pane-title" }, title, channel.topic?.value ? h("p", { class: "faint" }, channel.topic.value) : null),
    ...(channel.is_im && directory.hasHome ? [h("div", { class: "tabs", role: "tablist" }, tab("messages", "Messages"), tab("home", "Home"))] : []),
  );
}

async function openTab(name) {
  at.tab = name;
  const { home } = await post("home", { tab: name });
  at.home = home;
  drawHead();
  drawTab();
}

function drawTab() {
  const onHome = at.tab === "home";
  list.element.hidden = onHome;
  composer.element.hidden = onHome;
  homeView.hidden = !onHome;
  if (!onHome) return;
  const view = at.home;
  const act = (block, element, value) =>
    post("actions", { view_id: view.id, block_id: block.block_id, action_id: element.action_id, value }).catch((error) => notice(error.message));
  homeView.replaceChildren(
    h("div", { class: "message" }, h("div", { class: "body" }, view ? renderBlocks(view.blocks, { act, presses: {}, values: new Map() }) : h("p", { class: "faint" }, "Nothing here yet."))),
  );
}

let reading = Promise.resolve();
/** One after the other: an older answer must not overwrite a newer one. */
const inTurn = (work) => (reading = reading.then(work).catch((error) => notice(error.message)));

async function readMessages() {
  const channel = at.channel;
  const { messages } = await get("messages", { channel });
  if (channel !== at.channel) return;
  list.update(channel, messages, { divide: at.divide, empty: welcome(directory.channel(channel), (text) => composer.fill(text)) });
  if (document.visibilityState === "visible" && directory.channel(channel)?.unread) {
    await post("read", { channel });
    await readState();
  }
}

async function readThread() {
  const { channel, thread } = at;
  aside.hidden = !thread;
  document.body.classList.toggle("with-thread", Boolean(thread));
  if (!thread) return;
  let messages = [];
  try {
    ({ messages } = await get("thread", { channel, ts: thread }));
  } catch (error) {
    if (error.code !== "thread_not_found") throw error;
    notice("That message is not here any more.");
    return closeThread();
  }
  if (thread !== at.thread) return;
  const place = directory.channel(channel);
  threadTitle.replaceChildren(h("h2", {}, "Thread"), h("p", { class: "faint" }, place.is_im ? directory.title(place) : `#${place.name}`));
  const last = messages.at(-1);
  if (last?.bot_id) clearStatus(`${channel}/${thread}`);
  const replies = messages[0].reply_count ?? 0;
  const count = replies === 0 ? "No replies yet" : replies === 1 ? "1 reply" : `${replies} replies`;
  threadList.update(channel, messages, { after: count });
  drawStatus();
}

function clearStatus(key) {
  clearTimeout(statuses.get(key)?.timer);
  statuses.delete(key);
}

function setStatus({ channel, thread_ts: thread, status }) {
  const key = `${channel}/${thread}`;
  clearStatus(key);
  // Slack, too, forgets a status after two minutes.
  if (status) statuses.set(key, { text: status, timer: setTimeout(() => { clearStatus(key); drawStatus(); }, 120_000) });
  drawStatus();
}

function drawStatus() {
  const status = statuses.get(`${at.channel}/${at.thread}`);
  statusLine.textContent = status ? `${directory.realName(directory.bot.id)} ${status.text}` : "";
}

async function follow() {
  const wanted = address();
  const known = wanted.channel && directory.channel(wanted.channel);
  const channel = known ? wanted.channel : directory.channels[0].id;
  const moved = channel !== at.channel;
  const thread = known ? wanted.thread : null;
  if (thread !== at.thread) threadList.clear();
  Object.assign(at, { channel, thread });
  document.body.classList.remove("menu-open");
  if (moved) {
    at.tab = "messages";
    at.divide = directory.channel(channel).last_read;
    list.clear();
  }
  const place = directory.channel(channel);
  drawHead();
  drawTab();
  drawSidebar(sidebar, channel, { go, switchUser });
  document.title = `${place.is_im ? directory.title(place) : `#${place.name}`} · local workspace`;
  composer.aim(channel, null, place.is_im ? `Message ${directory.title(place)}` : `Message #${place.name}`);
  if (thread) threadComposer.aim(channel, thread, "Reply in thread");
  if (moved && place.is_im) await openTab("messages");
  await readThread();
  await readMessages();
}

async function readViews() {
  const { modals, home } = await get("views");
  at.home = home;
  if (at.tab === "home") drawTab();
  showModals(modals);
}

function switchUser(id) {
  actAs(id);
  list.clear();
  threadList.clear();
  at.channel = null;
  inTurn(async () => {
    await readState();
    await follow();
    await readViews();
  });
}

const waiting = new Set();
/** Do `work` soon, once, however often it is asked for until then. */
function soon(name, work) {
  if (waiting.has(name)) return;
  waiting.add(name);
  setTimeout(() => {
    waiting.delete(name);
    inTurn(work);
  }, 60);
}

function everything() {
  soon("state", async () => {
    await readState();
    await follow();
    await readViews();
  });
}

function onNote(note) {
  if (note.type === "hello") return everything();
  if (note.type === "people") return soon("people", readState);
  if (note.type === "view") return note.user === directory.me && soon("views", readViews);
  if (note.type === "status") return setStatus(note);
  soon("people", readState);
  if (note.channel !== at.channel) return undefined;
  soon("messages", readMessages);
  if (at.thread && (!note.thread_ts || note.thread_ts === at.thread)) soon("thread", readThread);
  return undefined;
}

document.addEventListener("click", (event) => {
  if (!sidebar.contains(event.target) && !event.target.closest(".menu-button")) document.body.classList.remove("menu-open");
});
window.addEventListener("hashchange", () => inTurn(follow));
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && at.channel && soon("messages", readMessages));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (document.body.classList.contains("menu-open")) document.body.classList.remove("menu-open");
  else if (at.thread) closeThread();
});

inTurn(async () => {
  try {
    await readState();
  } catch (error) {
    if (!currentUser()) throw error;
    actAs(""); // that person is not here any more
    await readState();
  }
  live(onNote, () => {
    banner.hidden = false;
    banner.textContent = "The workspace does not answer. This page reconnects by itself.";
  });
});
