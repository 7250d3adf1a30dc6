// The demo's handset: what the customer's phone shows, and what happened behind it.

import { byId, doing, element, randomKey } from "./dom.js";
import { post } from "./http.js";
import { exactTimeOf, timeOf } from "./times.js";

const AGAIN_AFTER = 2000; // ms
const customer = byId("customer");
const number = byId("number");
const text = byId("handset-text");

let watching = null;
let tried = null; // the last text tried: its content and id

// ── what it shows ────────────────────────────────────────────────────────────────────────────

// Ask again and again; the server answers as soon as there is news.
async function watch() {
  watching?.abort();
  watching = new AbortController();
  const { signal } = watching;
  const means = customer.selectedOptions[0].dataset.means ?? "";
  byId("special").textContent = means;
  byId("special").hidden = !means;
  let after = "";
  while (!signal.aborted) {
    try {
      const parties = new URLSearchParams({ customer: customer.value, number: number.value });
      const response = await fetch(`/demo/handset?${parties}${after}`, { signal });
      if (!response.ok) throw new Error(response.statusText);
      if (response.status === 204) continue;
      const news = await response.json();
      after = `&after=${news.position}`;
      show(news);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER));
    }
  }
}

function show(news) {
  const log = byId("handset-log");
  const known = new Set([...log.children].map((each) => each.dataset.id));
  const isSame = news.texts.length === known.size && news.texts.every((each) => known.has(each.id));
  byId("no-texts").hidden = news.texts.length > 0;
  byId("nothing-happened").hidden = news.happened.length > 0;
  if (!isSame) {
    log.replaceChildren(...news.texts.map(shownText));
    log.scrollTop = log.scrollHeight;
  }
  const happened = byId("happened");
  happened.replaceChildren(...news.happened.map(shownEvent));
  happened.scrollTop = happened.scrollHeight;
  byId("replay").hidden = !news.conversation_id;
  byId("replay").href = `/conversations/${news.conversation_id}`;
}

// On the phone the customer's own texts are the outbound ones.
function shownText(message) {
  const own = message.direction === "inbound";
  const time = element("time", { text: timeOf(message.at), attributes: { datetime: message.at } });
  return element(
    "li",
    { className: `message ${own ? "outbound" : "inbound"}`, attributes: { "data-id": message.id } },
    element("div", { className: "bubble", text: message.text }),
    element("div", { className: "about" }, time),
  );
}

function shownEvent(event) {
  return element(
    "li",
    {},
    element("time", { className: "quiet", text: exactTimeOf(event.at), attributes: { datetime: event.at } }),
    element("span", { text: event.sentence }),
  );
}

// ── what the customer does ───────────────────────────────────────────────────────────────────

async function send(words, button) {
  const content = JSON.stringify([customer.value, number.value, words]);
  if (tried?.content !== content) tried = { content, id: randomKey() };
  const body = { id: tried.id, customer: customer.value, number: number.value, text: words };
  const went = await doing(button, byId("handset-problem"), () => post("/demo/handset/texts", body));
  if (went) tried = null;
  return went;
}

async function sendWritten() {
  const words = text.value;
  if (!words.trim()) return;
  if ((await send(words, byId("handset-form").querySelector("button"))) && text.value === words) text.value = "";
}

for (const button of document.querySelectorAll(".quick button")) {
  button.addEventListener("click", () => send(button.value, button));
}
byId("handset-form").addEventListener("submit", (event) => (event.preventDefault(), sendWritten()));
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendWritten();
});
// The choice outlasts signing in and out.
for (const choice of [customer, number]) {
  const kept = sessionStorage.getItem(choice.id);
  if ([...choice.options].some((each) => each.value === kept)) choice.value = kept;
  choice.addEventListener("change", () => {
    sessionStorage.setItem(choice.id, choice.value);
    watch();
  });
}

// On small screens the handset and the desk take turns.
for (const tab of byId("tabs").children) {
  tab.addEventListener("click", () => {
    byId("demo").dataset.shown = tab.value;
    for (const each of byId("tabs").children) each.setAttribute("aria-pressed", String(each === tab));
  });
}

watch();
