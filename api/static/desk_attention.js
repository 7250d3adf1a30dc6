// What waits for somebody: missed and refused conversations, and texts of ended conversations that are in doubt.

import { resolveDialog, startDialog } from "./desk_dialogs.js";
import { desk } from "./desk_state.js";
import { bubble } from "./bubbles.js";
import { byId, doing, element } from "./dom.js";
import { getFresh, post } from "./http.js";
import { dayAndTimeOf } from "./times.js";

const EVERY = 10_000; // ms; nobody's stream tells of what is in nobody's hands

let shown = "";

export function startAttention() {
  refreshAttention();
  setInterval(() => document.hidden || refreshAttention(), EVERY);
}

export async function refreshAttention() {
  try {
    const [missed, inDoubt] = await Promise.all([getFresh("/api/v1/missed"), getFresh("/api/v1/in-doubt")]);
    const elsewhere = inDoubt.items.filter((each) => !desk.conversations.has(each.conversation_id));
    const content = JSON.stringify([missed.items, elsewhere]);
    if (content !== shown) show(missed.items, elsewhere);
    shown = content;
  } catch {
    // The stream says when the server is away; what is shown stays.
  }
}

function show(missed, inDoubt) {
  byId("missed").replaceChildren(...missed.map(missedItem));
  count("missed", missed.length);
  byId("no-missed").hidden = missed.length > 0;
  byId("in-doubt").replaceChildren(...inDoubt.map((each) => bubble(each, resolveDialog, `To ${each.customer}`)));
  count("in-doubt", inDoubt.length);
  byId("in-doubt-title").hidden = inDoubt.length === 0;
}

function count(list, number) {
  byId(`${list}-count`).textContent = number;
  byId(`${list}-count`).hidden = number === 0;
}

function missedItem(conversation) {
  const { id, customer, our_address: ours, outcome, started_at: at } = conversation;
  const problem = element("p", { className: "notice bad", hidden: true, attributes: { role: "alert" } });
  const dismiss = element("button", {
    type: "button",
    className: "small",
    text: "Dismiss",
    attributes: { "aria-label": `Dismiss ${customer}` },
    on: {
      click: async () => {
        const done = await doing(dismiss, problem, () => post(`/api/v1/conversations/${id}/dismiss`));
        if (done) refreshAttention();
      },
    },
  });
  const write = element("button", {
    type: "button",
    className: "small",
    text: "Write back",
    attributes: { "aria-label": `Write back to ${customer}` },
    on: { click: () => startDialog(ours, customer) },
  });
  const replay = element("a", { href: `/conversations/${id}`, text: "Replay", className: "small" });
  return element(
    "li",
    { className: "missed-item" },
    element(
      "div",
      { className: "head" },
      element("span", { className: "customer", text: customer }),
      element("span", { className: "quiet small", text: outcome }),
    ),
    element("p", { className: "quiet small", text: `${conversation.display_name || ours} · ${dayAndTimeOf(at)}` }),
    element("div", { className: "row" }, write, dismiss, replay),
    problem,
  );
}
