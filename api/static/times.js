// Times as people in front of this screen read them.

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat([], { weekday: "short", day: "numeric", month: "short" });

export const isToday = (at) => new Date(at).toDateString() === new Date().toDateString();

export const timeOf = (at) => clock.format(new Date(at));

export const exactTimeOf = (at) => exact.format(new Date(at));

export const dayOf = (at) => (isToday(at) ? "Today" : day.format(new Date(at)));

export const dayAndTimeOf = (at) => (isToday(at) ? timeOf(at) : `${dayOf(at)}, ${timeOf(at)}`);

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}

// Pages made by the server carry UTC: show it in the reader's own zone.
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = time.dateTime;
  time.title = time.textContent;
  if (!("exact" in time.dataset)) time.textContent = dayAndTimeOf(at);
  else time.textContent = isToday(at) ? exactTimeOf(at) : `${dayOf(at)}, ${exactTimeOf(at)}`;
}
