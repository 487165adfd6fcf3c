/** Compiled by tsc, never run: the types let the right things through and stop the wrong ones. */
import { NotifierClient, RequestError, Store, type Entry, type Happening } from "live-notifications-client";
import { NotificationBell, addWords } from "live-notifications-client/bell";
import { safeUrl } from "live-notifications-client/url";
import { NotificationBadge } from "live-notifications-client/badge";
import "live-notifications-client/words/de";

declare module "live-notifications-client" {
  interface NotifierEventMap { invoice: CustomEvent<Happening<"invoice", { total: number }>> }
}

const client = new NotifierClient({ url: "/", token: async () => null, after: 7, device: "phone" });
client.addEventListener("alert", ({ detail }) => { const title: string = detail.data.title; void title; });
client.addEventListener("badge", ({ detail }) => { const count: number = detail.data.count; void count; });
client.addEventListener("invoice", ({ detail }) => { const total: number = detail.data.total; void total; });
client.addEventListener("unread", ({ detail }) => { const n: number = detail; void n; });
client.addEventListener("state", ({ detail }) => { if (detail.state === "offline") void detail.retryIn?.toFixed(); });
client.addEventListener("anything-else", (event: Event) => { void event; });
client.addEventListener("preferences", async () => { const { quiet_hours } = await client.preferences(); void quiet_hours?.from; });
void client.setPreferences({ categories: { orders: { email: "daily", inbox: null } }, quiet_hours: { from: "22:00", to: "07:00", days: ["mon"] } });
const changed: Promise<void> = client.read(["a", "b"]);
const more: Promise<boolean> = client.older();
const items: readonly Entry[] = client.store.items;
const url: string | null = safeUrl(7);
const bell: NotificationBell = document.createElement("notification-bell");
bell.client = client;
bell.renderItem = (item) => (item.category === "orders" && item.version > 1 && !item.returned ? document.createTextNode(item.data.title) : null);
bell.addEventListener("bell-select", (event) => { const url: string = event.detail.url; event.preventDefault(); void [url, event.detail.item.collapsed, event.detail.item.snoozed_until]; });
bell.addEventListener("open", (event) => { void event.type; });
client.addEventListener("alert", ({ detail }) => { void [detail.quiet, detail.data.image, detail.data.actions?.[0]?.url]; });
const archived: readonly Entry[] = client.store.archivedItems;
void client.older("archived");
bell.words = { title: "News", unread: { other: "{n}" } };
const badge: NotificationBadge = document.createElement("notification-badge");
badge.client = bell.client;
addWords("fr", { title: "Notifications" });
void [archived, changed, more, items, url, Store, RequestError];

// @ts-expect-error a token is needed
new NotifierClient({ url: "/" });
// @ts-expect-error no such state
void (client.state === "gone");
// @ts-expect-error the store is the server's word
client.store.unread = 3;
// @ts-expect-error not a value
void client.setPreferences({ channels: { email: "never" } });
// @ts-expect-error an alert has no count
client.addEventListener("alert", ({ detail }) => detail.data.count);
// @ts-expect-error no such page
void client.older("gone");
// @ts-expect-error a Node, not a text
bell.renderItem = (item) => item.data.title;
// @ts-expect-error unknown words
addWords("fr", { titel: "" });
