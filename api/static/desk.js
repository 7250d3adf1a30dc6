// The desk: status, conversations in hand, and the stream that keeps them as they are.

import { refreshAttention, startAttention } from "./desk_attention.js";
import { prepareDialogs, startDialog } from "./desk_dialogs.js";
import {
  changed, desk, isInHand, messagesOf, onChange, readOpen, takeAgent, takeConversation, takeDesk, takeMessage,
  waitingSince,
} from "./desk_state.js";
import { prepareThread, showConversation } from "./desk_thread.js";
import { byId, doing, element, say } from "./dom.js";
import { get, post } from "./http.js";
import { duration } from "./times.js";

const AGAIN_AFTER = 2000; // ms
const LONG_WAIT = 120; // s
const FAILED = ["undelivered", "failed", "rejected", "blocked", "expired"];

const login = byId("desk").dataset.login;
const problem = byId("desk-problem");

// ── live ─────────────────────────────────────────────────────────────────────────────────────

async function begin() {
  try {
    const answer = await get("/api/v1/desk");
    if (answer.agent.login !== login) return location.reload(); // somebody else has signed in since
    takeDesk(answer);
    changed();
    listen(answer.position);
  } catch (failure) {
    live("lost", failure.status === 401 ? "Signed out" : "Not connected");
    say(problem, failure.message);
    setTimeout(begin, AGAIN_AFTER);
  }
}

// The browser comes back by itself with the last position it has seen; only when it gives up do we begin again.
function listen(position) {
  const stream = new EventSource(`/api/v1/desk/stream?after=${position}`);
  const on = (kind, take) => stream.addEventListener(kind, (event) => take(JSON.parse(event.data)));
  on("agent", (agent) => (takeAgent(agent), changed()));
  on("conversation", (conversation) => (come(conversation), readOpen(), changed(), refreshAttention()));
  on("message", (message) => (arrived(message), readOpen(), changed()));
  stream.onopen = () => {
    say(problem, "");
    live("open", "Live");
  };
  stream.onerror = () => {
    live("lost", "Reconnecting…");
    if (stream.readyState === EventSource.CLOSED) setTimeout(begin, AGAIN_AFTER);
  };
}

// The stream does not tell an agent's own texts again when a conversation comes back: they are fetched.
function come(conversation) {
  const isNew = !desk.conversations.has(conversation.id);
  takeConversation(conversation);
  if (isNew && isInHand(conversation) && conversation.first_response_at) recall(conversation.id);
}

async function recall(id) {
  try {
    const { messages } = await get(`/api/v1/conversations/${id}`);
    messages.forEach(takeMessage);
    changed();
  } catch (failure) {
    say(problem, failure.message);
  }
}

function arrived(message) {
  if (takeMessage(message) || !FAILED.includes(message.status)) return;
  say(problem, `Your text to ${message.customer} was not delivered (${message.status}): ${message.text}`);
}

function live(state, words) {
  byId("live").dataset.state = state;
  byId("live").textContent = words;
}

// ── status ───────────────────────────────────────────────────────────────────────────────────

const becoming = (status, requeue = false) => () => post(`/api/v1/agents/${login}/status`, { status, requeue });

for (const button of byId("status").children) {
  button.addEventListener("click", async () => {
    byId("offline-question").hidden = true;
    const mustAsk = button.value === "offline" && inHand().length > 0;
    if (mustAsk) askBeforeOffline();
    else await doing(button, problem, becoming(button.value));
  });
}

function askBeforeOffline() {
  const count = inHand().length;
  byId("offline-text").textContent =
    count === 1 ? "You still have a conversation." : `You still have ${count} conversations.`;
  byId("offline-question").hidden = false;
  byId("offline-requeue").focus();
}

byId("offline-requeue").addEventListener("click", async (event) => {
  if (await doing(event.target, problem, becoming("offline", true))) byId("offline-question").hidden = true;
});
byId("offline-keep").addEventListener("click", () => (byId("offline-question").hidden = true));
byId("ready").addEventListener("click", (event) => doing(event.target, problem, () => post("/api/v1/desk/ready")));
byId("start-open").addEventListener("click", () => startDialog());

function showStatus() {
  for (const button of byId("status").children) {
    button.setAttribute("aria-pressed", String(button.value === desk.agent?.status));
  }
  if (!inHand().length) byId("offline-question").hidden = true;
}

// ── conversations ────────────────────────────────────────────────────────────────────────────

const inHand = () => [...desk.conversations.values()].filter(isInHand);

function showList() {
  const list = byId("conversations");
  const focused = document.activeElement?.dataset.id;
  list.replaceChildren(...inHand().map(item));
  if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  byId("no-conversations").hidden = list.children.length > 0;
  byId("no-conversations").textContent =
    desk.agent?.status === "available" ? "None. The next one comes by itself." : "None. Become available to get some.";
  const unread = desk.unread.size;
  document.title = document.title.replace(/^(\(\d+\) )?/, unread ? `(${unread}) ` : "");
}

function item(conversation) {
  const unread = desk.unread.has(conversation.id);
  const last = messagesOf(conversation).filter((each) => each.sender !== "system").at(-1);
  return element(
    "li",
    {},
    element(
      "button",
      {
        type: "button",
        className: `conversation${unread ? " unread" : ""}`,
        attributes: { "data-id": conversation.id, "aria-current": String(conversation.id === desk.open) },
        on: { click: () => (showConversation(conversation.id), changed()) },
      },
      element("span", { className: "customer", text: conversation.customer }, unread && mark()),
      element("span", {
        className: "wait",
        text: conversation.opted_out ? "opted out" : "answered",
        attributes: since(conversation),
      }),
      element("span", { className: "preview", text: preview(last, conversation) }),
    ),
  );
}

function since(conversation) {
  const at = waitingSince(conversation);
  return at ? { "data-since": at } : {};
}

const mark = () => element("span", { className: "unread-mark", attributes: { role: "img", "aria-label": "unread" } });

function preview(message, conversation) {
  if (!message) return conversation.display_name;
  return `${message.direction === "outbound" ? "You: " : ""}${message.text}`;
}

// ── what passes with time ────────────────────────────────────────────────────────────────────

function tick() {
  for (const wait of document.querySelectorAll(".wait[data-since]")) {
    const seconds = (Date.now() - new Date(wait.dataset.since)) / 1000;
    wait.textContent = `waits ${duration(seconds)}`;
    wait.classList.toggle("long", seconds > LONG_WAIT);
  }
  const left = Math.ceil((new Date(desk.agent?.wrap_up_until ?? 0) - Date.now()) / 1000);
  byId("wrap-up").hidden = left <= 0;
  byId("wrap-up-left").textContent = duration(left);
}

onChange(showStatus);
onChange(showList);
onChange(tick);
document.addEventListener("visibilitychange", () => (readOpen(), changed()));
setInterval(tick, 1000);
prepareThread();
prepareDialogs({ started: showConversation, done: refreshAttention });
startAttention();
begin();
