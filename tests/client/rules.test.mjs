/** Small pure rules: urls, backoff, tokens, endpoints, and what the bell makes of an entry. */
import assert from "node:assert/strict";
import test from "node:test";
import { backoff, spread } from "../../client/backoff.js";
import { content } from "../../client/bell-list.js";
import "../../client/bell-words-ar.js";
import "../../client/bell-words-de.js";
import { Words } from "../../client/bell-words.js";
import { endpoints } from "../../client/environment.js";
import { Token, claims } from "../../client/token.js";
import { safeUrl } from "../../client/url.js";
import { token } from "./fakes/world.mjs";

test("safe urls: absolute http(s), or a path on the same site", () => {
  for (const url of ["/", "/orders/7/track", "/a//b", "/a?b=c#d", "http://host", "https://host/path?q=1", "HTTPS://Host/", "https://user@host:8443/", "/日本"]) {
    assert.equal(safeUrl(url), url);
  }
});

test("everything else is refused", () => {
  const bad = [
    "javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "\u0001javascript:alert(1)", "data:text/html,x",
    "vbscript:x", "blob:https://x/y", "file:///etc/passwd", "//host", "///host", "/\\host", "\\\\host", "/\t/host", "https:host", "https:/host", "https:///host",
    "http://", "https://", "host/path", "./path", "../path", "#top", "?a", "", "mailto:a@b.c", "https://exa mple", "/a\u0000b", "/a\u007fb", "https://host\\@evil", null, undefined, 7, {}, ["/"],
  ];
  for (const url of bad) assert.equal(safeUrl(url), null, JSON.stringify(url));
});

test("backoff is bounded by 0.5 s doubling to 30 s", () => {
  assert.deepEqual([0, 1, 2, 6, 7, 100, 5000].map((n) => backoff(n, () => 1)), [500, 1000, 2000, 30_000, 30_000, 30_000, 30_000]);
  assert.equal(backoff(3, () => 0), 0);
});

test("the reason of 1012 is seconds", () => {
  assert.equal(spread("3.4", () => 0.5), 1700);
  assert.equal(spread("0", () => 0.5), 0);
  for (const reason of ["", "soon", "-1", "1e9", "Infinity", "99999", " 3"]) assert.equal(spread(reason, () => 0.5), null, reason);
});

test("claims are read from a JWT, and from nothing else", () => {
  assert.equal(claims(token("日本")).sub, "日本");
  for (const text of ["", "a.b", "a.b.c", null, 7, `x.${Buffer.from("7").toString("base64url")}.y`]) assert.equal(claims(text).sub, undefined);
});

test("a token that is about to end is not handed out again", async () => {
  let now = 1_000_000;
  let asked = 0;
  const kept = new Token(async () => { asked += 1; return token("u", { iat: now / 1000, exp: now / 1000 + 100 }); }, () => now);
  await kept.get();
  await kept.get();
  assert.equal(asked, 1);
  now += 99_500;
  await kept.get();
  assert.equal(asked, 2);
});

test("callers that come together share one request, and a failed one is not kept", async () => {
  let asked = 0;
  const kept = new Token(async () => { asked += 1; if (asked === 1) throw new Error("no"); return "t"; }, Date.now);
  await Promise.allSettled([kept.get(), kept.get()]);
  assert.equal(asked, 1);
  assert.equal(await kept.get(), "t");
});

test("every way to name the notifier leads to the same two places", () => {
  const here = "https://shop.example/a/b?c";
  const same = { base: "https://shop.example/", socket: "wss://shop.example/ws" };
  for (const url of [undefined, "/", "/ws", "/ws/", "https://shop.example", "wss://shop.example/ws", "https://shop.example/?x#y"]) assert.deepEqual(endpoints(url, here), same, url);
  assert.deepEqual(endpoints("/notify/ws", here), { base: "https://shop.example/notify/", socket: "wss://shop.example/notify/ws" });
  assert.deepEqual(endpoints("http://127.0.0.1:3000"), { base: "http://127.0.0.1:3000/", socket: "ws://127.0.0.1:3000/ws" });
  assert.equal(endpoints("/news", here).socket, "wss://shop.example/news/ws");
});

test("whatever an entry carries, the bell gets texts, a known type and a safe action", () => {
  assert.deepEqual(content({ event: "alert", data: { title: "T", message: "M", type: "error", action: { label: "L", url: "/x" } } }), { title: "T", message: "M", type: "error", action: { label: "L", url: "/x" } });
  for (const data of [null, undefined, 7, "text", [], {}]) assert.deepEqual(content({ event: "invoice", data }), { title: "invoice", message: "", type: "info", action: null });
  assert.equal(content({ event: "alert", data: { type: "__proto__", action: { label: "L", url: "javascript:alert(1)" } } }).action, null);
});

test("words: plural forms, numbers and times of the language", () => {
  const en = new Words("en-GB");
  assert.equal(en.say("new", { n: 1 }), "1 new notification");
  assert.equal(en.say("new", { n: 1234 }), "1,234 new notifications");
  assert.deepEqual([en.count(99), en.count(100)], ["99", "99+"]);
  const now = 1_800_000_000_000;
  assert.deepEqual([0, -5000, 50_000, 300_000, 3_600_000, 86_400_000, 700_000_000].map((ago) => en.ago(now - ago, now)),
    ["just now", "just now", "1 minute ago", "5 minutes ago", "1 hour ago", "yesterday", "7 Jan 2027"]);
  assert.equal(new Words("de-AT").say("markAll"), "Alle als gelesen markieren");
  assert.equal(new Words("ar").say("unread", { n: 2 }), "إشعاران غير مقروءين");
  assert.equal(new Words("tlh").say("title"), "Notifications", "an unknown language speaks English");
  assert.equal(new Words("en", { title: "News" }).say("title"), "News");
});

test("the two added languages say everything that English says", () => {
  const keys = ["title", "unread", "new", "types", "now", "isUnread", "markRead", "markUnread", "markAll", "archive", "about", "more", "less", "close", "dismiss", "settings",
    "sound", "desktop", "blocked", "loading", "empty", "emptyHint", "end", "connecting", "offline", "unauthorized", "refused", "failed", "notSaved", "retry"];
  const [en, ...others] = ["en", "de", "ar"].map((lang) => new Words(lang));
  const values = { n: 3, action: "A", title: "T" };
  for (const key of keys.filter((name) => name !== "types" && name !== "about")) {
    for (const words of others) assert.notEqual(words.say(key, values), en.say(key, values), `${words.lang} ${key}`);
  }
});
