// A text as a bubble, with what became of it below.

import { element } from "./dom.js";
import { dayAndTimeOf } from "./times.js";

const AUTOMATIC = {
  agent_joined: "Agent joined", agent_left: "Agent left", transferred: "Transferred", ended: "Conversation ended",
  idle_timeout: "Idle timeout", max_chats: "Maximum chats", opted_out: "Opt-out confirmed",
  opted_in: "Opt-in confirmed", help: "Help",
};

const failed = (words) => (message) => {
  const why = message.error_detail || message.error_code;
  return [why ? `${words}: ${why}` : words, "bad"];
};

const STATUS = {
  requested: () => ["Sending…", ""],
  attempting: () => ["Sending…", ""],
  postponed: () => ["Waiting to try again", "warn"],
  in_doubt: () => ["May not have arrived", "warn"],
  accepted: () => ["Sent", ""],
  queued: () => ["Sent", ""],
  sent: () => ["Sent", ""],
  delivered: () => ["Delivered", "good"],
  read: () => ["Read", "good"],
  undelivered: failed("Not delivered"),
  failed: failed("Failed"),
  rejected: failed("Failed"),
  blocked: () => ["Blocked: the customer has opted out", "bad"],
  expired: () => ["Expired: it could not go in time", "bad"],
  dropped: () => ["Dropped", "bad"],
  suppressed: () => ["Not sent: suppressed", ""],
};

// The bubble of a message; `resolve(message, resolution)` decides about one in doubt.
export function bubble(message, resolve = null, heading = "") {
  const outbound = message.direction === "outbound";
  const classes = ["message", outbound ? "outbound" : "inbound"];
  if (outbound && message.sender === "system") classes.push("automatic");
  if (message.status === "suppressed") classes.push("suppressed");
  return element(
    "li",
    { className: classes.join(" "), attributes: { "data-id": message.id, "data-status": message.status } },
    heading && element("p", { className: "small customer", text: heading }),
    element("div", { className: "bubble", text: shown(message) }),
    about(message, outbound),
    message.status === "in_doubt" && resolve && resolutions(message, resolve),
  );
}

function shown(message) {
  const files = (message.media ?? []).map((each) => `[${each.problem || each.content_type}]`);
  return [message.text, ...files].filter(Boolean).join("\n");
}

function about(message, outbound) {
  const parts = [];
  const isAutomatic = outbound && message.sender === "system";
  if (isAutomatic) parts.push(element("span", { text: AUTOMATIC[message.purpose] ?? "Automatic" }));
  parts.push(element("time", { text: dayAndTimeOf(message.at), attributes: { datetime: message.at } }));
  if (outbound) {
    const [words, className] = STATUS[message.status]?.(message) ?? [message.status, ""];
    parts.push(element("span", { text: words, className: `message-status ${className}` }));
    if (message.resolution) parts.push(element("span", { text: `${message.resolution} by ${message.resolved_by}` }));
  }
  return element("div", { className: "about" }, ...parts);
}

function resolutions(message, resolve) {
  const choices = [["resend", "Resend"], ["sent", "Mark sent"], ["drop", "Drop"]];
  const buttons = choices.map(([resolution, words]) =>
    element("button", {
      type: "button",
      className: "small",
      text: words,
      on: { click: () => resolve(message, resolution) },
    }),
  );
  const attributes = { role: "group", "aria-label": "It may not have arrived" };
  return element("div", { className: "resolve", attributes }, ...buttons);
}

// Show messages in a log without touching those that have not changed, and stay at its end if it was there.
export function showLog(log, messages, resolve = null) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const present = new Map([...log.children].map((each) => [each.dataset.id, each]));
  const wanted = messages.map((message) => {
    const there = present.get(message.id);
    const same = there && there.version === JSON.stringify(message);
    const made = same ? there : bubble(message, resolve);
    made.version = JSON.stringify(message);
    return made;
  });
  if (wanted.length !== log.children.length || wanted.some((each, index) => log.children[index] !== each)) {
    replaceChanged(log, wanted);
  }
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function replaceChanged(log, wanted) {
  const keep = new Set(wanted);
  for (const each of [...log.children]) if (!keep.has(each)) each.remove();
  wanted.forEach((each, index) => {
    if (log.children[index] !== each) log.insertBefore(each, log.children[index] ?? null);
  });
}
