// Start, transfer, end, and decide about what is in doubt: each in a dialog that stays open until it is done.

import { changed, desk, takeConversation, takeDesk, takeMessage } from "./desk_state.js";
import { byId, doing, element, randomKey, say } from "./dom.js";
import { get, post } from "./http.js";
import { counted } from "./segments.js";

const SUGGESTED = {
  resend: "The customer says that it did not arrive",
  sent: "The customer has answered it",
  drop: "It is of no use any more",
};
const RESOLVE = { resend: "Send it again", sent: "Mark it as sent", drop: "Drop it" };

let about = null; // the conversation or message that the open dialog is about
let tried = null; // the last try to start a conversation: its content and key
let told = null; // who wants to know: `started(id)`, and `done()` of everything

export function prepareDialogs(listeners) {
  told = listeners;
  prepare("start", start);
  prepare("transfer", transfer);
  prepare("end", end);
  prepare("resolve", resolve);
  byId("start-text").addEventListener("input", (event) => {
    byId("start-counter").textContent = counted(event.target.value);
  });
}

function prepare(name, work) {
  const dialog = byId(`${name}-dialog`);
  dialog.querySelector(".cancel").addEventListener("click", () => dialog.close());
  byId(`${name}-form`).addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = dialog.querySelector(".primary");
    if (await doing(button, byId(`${name}-problem`), work)) {
      dialog.close();
      told.done();
    }
    changed();
  });
}

function show(name, subject) {
  about = subject;
  say(byId(`${name}-problem`), "");
  byId(`${name}-dialog`).showModal();
}

const option = (value, text) => element("option", { value, text });

// ── start ────────────────────────────────────────────────────────────────────────────────────

// What was typed before is still there, unless the conversation is to answer a certain customer.
export function startDialog(ourAddress = null, customer = null) {
  const origin = byId("start-origin");
  const chosen = ourAddress ?? origin.value;
  origin.replaceChildren(...desk.origins.map((each) => option(each.our_address, each.display_name)));
  if (desk.origins.some((each) => each.our_address === chosen)) origin.value = chosen;
  if (customer) byId("start-customer").value = customer;
  show("start", null);
  byId(customer ? "start-text" : "start-customer").focus();
}

async function start() {
  const body = {
    our_address: byId("start-origin").value,
    customer: byId("start-customer").value,
    text: byId("start-text").value,
    single: byId("start-form").elements.single.value === "yes",
  };
  const content = JSON.stringify(body);
  if (tried?.content !== content) tried = { content, key: randomKey() };
  const started = await post("/api/v1/conversations", body, tried.key);
  tried = null;
  byId("start-form").reset();
  byId("start-counter").textContent = "";
  desk.open = started.conversation.id;
  takeConversation(started.conversation);
  takeMessage(started.message);
  told.started(started.conversation.id);
}

// ── transfer and end ─────────────────────────────────────────────────────────────────────────

export async function transferDialog(conversation) {
  show("transfer", conversation);
  await doing(byId("transfer-open"), byId("transfer-problem"), async () => takeDesk(await get("/api/v1/desk")));
  const agents = desk.agents.filter((each) => each.login !== desk.agent.login && each.status === "available");
  byId("transfer-to").replaceChildren(
    group("Queues", desk.queues.map((each) => option(`queue:${each.code}`, each.name))),
    agents.length ? group("Available agents", agents.map((each) => option(`agent:${each.login}`, each.name))) : "",
  );
}

const group = (label, options) => element("optgroup", { label }, ...options);

async function transfer() {
  const [kind, name] = byId("transfer-to").value.split(/:(.*)/s);
  takeConversation(await post(`/api/v1/conversations/${about.id}/transfer`, { [kind]: name }));
}

export function endDialog(conversation) {
  const codes = desk.workCodes.map((each) => option(each.code, each.name));
  byId("work-code").replaceChildren(option("", "No work code"), ...codes);
  show("end", conversation);
}

async function end() {
  const code = byId("work-code").value || null;
  takeConversation(await post(`/api/v1/conversations/${about.id}/end`, { work_code: code }));
}

// ── in doubt ─────────────────────────────────────────────────────────────────────────────────

export function resolveDialog(message, resolution) {
  byId("resolve-title").textContent = RESOLVE[resolution];
  byId("resolve-text").textContent = message.text;
  byId("why").value = SUGGESTED[resolution];
  show("resolve", { message, resolution });
  byId("why").select();
}

async function resolve() {
  const { message, resolution } = about;
  takeMessage(await post(`/api/v1/messages/${message.id}/resolve`, { resolution, why: byId("why").value }));
}
