// Making parts of a page. Text is only ever set as text: nothing that a server or a customer says is markup.

export const byId = (id) => document.getElementById(id);

export function element(tag, { text, attributes = {}, on = {}, ...properties } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  for (const [name, listener] of Object.entries(on)) made.addEventListener(name, listener);
  Object.assign(made, properties);
  made.append(...children.filter(Boolean));
  return made;
}

// Say or unsay something in a place kept for it.
export function say(place, sentence) {
  place.textContent = sentence ?? "";
  place.hidden = !sentence;
}

// A button's work, once at a time. What goes wrong is said beside its field, else in the place given.
export async function doing(button, place, work) {
  if (button.disabled) return false;
  button.disabled = true;
  const form = place.closest("form");
  say(place, "");
  form?.querySelectorAll("[data-field]").forEach((each) => sayOfField(each, ""));
  try {
    await work();
    return true;
  } catch (problem) {
    const errors = problem.errors ?? [];
    const fields = errors.map((each) => form?.querySelector(`[data-field~="${CSS.escape(each.field)}"]`));
    if (!errors.length || !fields.every(Boolean)) say(place, problem.message);
    else errors.forEach(({ message }, index) => sayOfField(fields[index], message));
    return false;
  } finally {
    button.disabled = false;
  }
}

function sayOfField(field, message) {
  say(field, message && message.charAt(0).toUpperCase() + message.slice(1));
  field.previousElementSibling.setAttribute("aria-invalid", String(Boolean(message)));
}

export const randomKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
