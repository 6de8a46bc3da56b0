// Follows an order: each event asks for its progress anew. Without this the page reloads itself.
const script = document.currentScript;
const base = `/orders/${script.dataset.order}`;
const show = async () => {
  const answer = await fetch(`${base}/progress`, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const now = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("progress");
  if (now) document.getElementById("progress").replaceWith(now);
};
const events = new EventSource(`${base}/events`);
let due;
events.onmessage = () => {
  clearTimeout(due);
  due = setTimeout(show, 80);
};
