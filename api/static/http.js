// Requests to our own server. Whatever fails is a Problem with a sentence for people.

const SESSION = "/api/v1/session";
const CSRF = "X-CSRFToken";
const login = document.body.dataset.login ?? "";
let token = document.querySelector('meta[name="csrf-token"]').content;
let seen = 0; // the position of the newest thing done here: reads show it

export class Problem extends Error {
  constructor(status, detail, errors = []) {
    super(detail);
    this.status = status; // 0: no answer came
    this.errors = errors; // of fields: their names and what would be right
  }
}

export const get = (path) => ask("GET", path);

// A read that shows what has been done here before.
export const getFresh = (path) => ask("GET", `${path}${path.includes("?") ? "&" : "?"}after=${seen}`);

// A command. With a key, asking again with the same one sends no text twice.
export async function post(path, body = {}, key = null) {
  try {
    return await ask("POST", path, body, key);
  } catch (problem) {
    if (!(problem instanceof StaleToken)) throw problem;
    await renewToken();
    return ask("POST", path, body, key);
  }
}

class StaleToken extends Problem {}

async function ask(method, path, body = null, key = null) {
  const headers = { Accept: "application/json" };
  if (body) Object.assign(headers, { [CSRF]: token, "Content-Type": "application/json" });
  if (key) headers["Idempotency-Key"] = key;
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Problem(0, "The server cannot be reached. What you wrote is still here: try again.");
  }
  seen = Math.max(seen, Number(response.headers.get("Parley-Position") ?? 0));
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  const isStale = response.status === 403 && answer?.errors?.some((each) => each.field === CSRF);
  throw new (isStale ? StaleToken : Problem)(response.status, sentence(response.status, answer), answer?.errors);
}

// Whoever signed in again in another tab has another token; whoever did so as somebody else has another desk.
async function renewToken() {
  const session = login ? await get(SESSION) : null;
  if (session?.login !== login) throw new Problem(403, "Somebody else has signed in since: open this page again.");
  token = session.csrf_token;
}

function sentence(status, answer) {
  if (status === 401) return "You have been signed out. Sign in again in another tab, then repeat this here.";
  const detail = answer?.detail ?? `the server answered ${status}`;
  return detail.charAt(0).toUpperCase() + detail.slice(1);
}
