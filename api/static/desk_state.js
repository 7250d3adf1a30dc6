// What this desk knows. Whoever changes it calls `changed`, and everything on the page is shown anew.

export const desk = {
  agent: null,
  conversations: new Map(), // those in hand, and one that has left while it is open on the screen
  unread: new Set(),
  open: null, // the id of the conversation on the screen
  origins: [],
  queues: [],
  agents: [],
  workCodes: [],
};

const listeners = [];

export const onChange = (listener) => listeners.push(listener);

export const changed = () => listeners.forEach((listener) => listener());

export const isInHand = (conversation) =>
  conversation.state === "assigned" && conversation.agent === desk.agent?.login;

export const openConversation = () => desk.conversations.get(desk.open) ?? null;

// Take over what the server says is so now.
export function takeDesk(answer) {
  desk.agent = answer.agent;
  desk.origins = answer.origins;
  desk.queues = answer.queues;
  desk.agents = answer.agents;
  desk.workCodes = answer.work_codes;
  const present = new Set(answer.conversations.map((each) => each.id));
  for (const conversation of desk.conversations.values()) {
    if (!present.has(conversation.id)) takeConversation({ ...conversation, agent: null });
  }
  for (const each of answer.conversations) {
    takeConversation(each);
    each.messages.forEach(takeMessage);
    if (!waitingSince(desk.conversations.get(each.id))) desk.unread.delete(each.id);
  }
}

export function takeAgent(agent) {
  if (agent && agent.login === desk.agent?.login && agent.position >= desk.agent.position) desk.agent = agent;
}

// An older state than the one that is known changes nothing.
export function takeConversation(conversation) {
  const known = desk.conversations.get(conversation.id);
  if (known && known.position > conversation.position) return;
  if (!isInHand(conversation) && conversation.id !== desk.open) {
    desk.conversations.delete(conversation.id);
    desk.unread.delete(conversation.id);
    return;
  }
  if (!known && conversation.origin === "customer") desk.unread.add(conversation.id);
  desk.conversations.set(conversation.id, { ...conversation, messages: known?.messages ?? new Map() });
}

// Whether the message belongs to a conversation of this desk.
export function takeMessage(message) {
  const conversation = desk.conversations.get(message.conversation_id);
  if (!conversation) return false;
  const known = conversation.messages.get(message.id);
  if (known && known.position > message.position) return true;
  conversation.messages.set(message.id, message);
  if (!known && message.direction === "inbound") desk.unread.add(conversation.id);
  return true;
}

export function readOpen() {
  if (!document.hidden) desk.unread.delete(desk.open);
}

// In order of coming: messages arrive from the server in that order, and a Map keeps it.
export const messagesOf = (conversation) =>
  [...conversation.messages.values()].sort((one, other) => new Date(one.at) - new Date(other.at));

// Since when the customer has been waiting for an answer; null when there is none to give.
export function waitingSince(conversation) {
  if (conversation.opted_out) return null;
  let since = null;
  for (const message of messagesOf(conversation)) {
    if (message.direction === "inbound") since ??= message.at;
    else if (message.sender === "agent") since = null;
  }
  return since;
}
