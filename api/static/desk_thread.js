// The conversation on the screen: its texts, and the box to answer in.

import { showLog } from "./bubbles.js";
import { endDialog, resolveDialog, transferDialog } from "./desk_dialogs.js";
import {
  changed, desk, isInHand, messagesOf, onChange, openConversation, readOpen, takeMessage,
} from "./desk_state.js";
import { byId, doing, randomKey, say } from "./dom.js";
import { post } from "./http.js";
import { counted } from "./segments.js";

const REASONS = {
  idle: "nobody wrote for the set time",
  agent: "an agent ended it",
  single: "it was a single message",
};

const drafts = new Map(); // what is being written, by conversation: its text, and what was tried under which key
const reply = byId("reply");

const draftOf = (id) => drafts.get(id) ?? { text: "", tried: null, problem: "" };

export function showConversation(id) {
  desk.open = id;
  byId("desk").dataset.shown = id ? "thread" : "lists";
  byId("log").replaceChildren();
  reply.value = draftOf(id).text;
  say(byId("composer-problem"), draftOf(id).problem);
  readOpen();
  forgetThoseGone();
  show();
  byId("log").scrollTop = byId("log").scrollHeight;
  if (id && !reply.readOnly) reply.focus();
}

function forgetThoseGone() {
  for (const [id, conversation] of desk.conversations) {
    if (id !== desk.open && !isInHand(conversation)) desk.conversations.delete(id);
  }
}

export function prepareThread() {
  onChange(show);
  byId("back").addEventListener("click", () => (showConversation(null), changed()));
  byId("transfer-open").addEventListener("click", () => transferDialog(openConversation()));
  byId("end-open").addEventListener("click", () => endDialog(openConversation()));
  byId("composer").addEventListener("submit", (event) => (event.preventDefault(), send()));
  reply.addEventListener("input", noteDraft);
  reply.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  window.addEventListener("beforeunload", (event) => {
    if ([...drafts.values()].some((each) => each.text.trim())) event.preventDefault();
  });
}

function noteDraft() {
  drafts.set(desk.open, { ...draftOf(desk.open), text: reply.value });
  byId("reply-counter").textContent = counted(reply.value);
}

// The same text again keeps its key: however often it is tried, it goes out once.
async function send() {
  const conversation = openConversation();
  const text = reply.value;
  if (!conversation || !text.trim() || reply.readOnly) return;
  const { tried } = draftOf(conversation.id);
  const attempt = tried?.text === text ? tried : { text, key: randomKey() };
  drafts.set(conversation.id, { text, tried: attempt, problem: "" });
  const place = byId("composer-problem");
  const went = await doing(byId("send"), place, async () => {
    const message = await post(`/api/v1/conversations/${conversation.id}/messages`, { text }, attempt.key);
    takeMessage(message);
  });
  finished(conversation.id, text, went, place.textContent);
}

function finished(id, text, went, problem) {
  const now = draftOf(id);
  if (went) drafts.set(id, { text: now.text === text ? "" : now.text, tried: null, problem: "" });
  else drafts.set(id, { ...now, problem });
  if (id === desk.open) reply.value = draftOf(id).text;
  else say(byId("composer-problem"), draftOf(desk.open).problem);
  changed();
  if (id === desk.open && went) byId("log").scrollTop = byId("log").scrollHeight;
}

function show() {
  const conversation = openConversation();
  for (const part of ["thread-head", "log", "composer"]) byId(part).hidden = !conversation;
  byId("nothing").hidden = Boolean(conversation);
  byId("opted-out").hidden = !conversation?.opted_out;
  say(byId("thread-notice"), conversation && gone(conversation));
  if (!conversation) return;
  const inHand = isInHand(conversation);
  byId("thread-title").textContent = conversation.customer;
  byId("thread-about").textContent = about(conversation);
  byId("thread-replay").href = `/conversations/${conversation.id}`;
  byId("transfer-open").hidden = byId("end-open").hidden = !inHand;
  reply.readOnly = !inHand || conversation.opted_out;
  reply.placeholder = reply.readOnly ? "Nothing can be sent here" : "Write a reply";
  byId("send").hidden = byId("reply-keys").hidden = reply.readOnly;
  byId("composer").hidden = !inHand && !reply.value;
  byId("reply-counter").textContent = counted(reply.value);
  showLog(byId("log"), messagesOf(conversation), resolveDialog);
}

function about(conversation) {
  const number = `${conversation.display_name} ${conversation.our_address}`.trim();
  return conversation.queue ? `to ${number} · queue ${conversation.queue}` : `to ${number}`;
}

function gone(conversation) {
  if (isInHand(conversation)) return "";
  const why = REASONS[conversation.end_reason] ?? "it is over";
  if (conversation.state === "ended") return `This conversation has ended: ${why}.`;
  return "This conversation is no longer in your hands.";
}
