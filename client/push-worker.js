/**
 * The service worker of push.js: shows each message, opens its page at a click, and subscribes again when the
 * browser has changed the subscription. Classic, so that a file of another origin can `importScripts` it.
 */
const settings = new URL(self.location).searchParams;
const api = settings.get("api") ?? new URL("../", self.location).href;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** Always shows something: browsers take the permission from workers that get messages and show nothing. */
self.addEventListener("push", (event) => {
  const { id, title, body, url, token } = read(event.data);
  const shown = self.registration.showNotification(title || "New notification", {
    body: body || "",
    tag: id, // what is sent twice is shown once
    data: { url, token },
  });
  event.waitUntil(shown);
});

function read(data) {
  try {
    return data?.json() ?? {};
  } catch {
    return {};
  }
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url, token } = event.notification.data ?? {};
  event.waitUntil(Promise.allSettled([open(url), mark(token)]));
});

async function mark(token) {
  if (!token) return;
  await fetch(`${api}api/push/read`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
    keepalive: true,
  });
}

/** Focus a window that shows the page, or open one. */
async function open(url) {
  const target = page(url);
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((one) => one.url === target);
  if (there) return there.focus();
  return self.clients.openWindow(target);
}

/** The address when it is one of a page; else the site's. */
function page(url) {
  try {
    const target = new URL(url, self.location.origin);
    if (target.protocol === "https:" || target.protocol === "http:") return target.href;
  } catch {
    // not a URL
  }
  return new URL("/", self.location.origin).href;
}

self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(again(event)));

/** Register the new subscription; without a token's address the next page load does it. */
async function again(event) {
  const from = settings.get("token");
  if (!from) return;
  const answer = await fetch(from, { credentials: "same-origin", cache: "no-store" });
  const text = (await answer.text()).trim();
  const token = text.startsWith("{") ? JSON.parse(text).token : text;
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const { key } = await (await fetch(`${api}api/push/key`, { headers })).json();
  const subscription =
    event.newSubscription ??
    (await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
  await fetch(`${api}api/push/subscriptions`, { method: "POST", headers, body: JSON.stringify(subscription) });
}
