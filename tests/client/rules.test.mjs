/** Small pure rules: urls, backoff, tokens, endpoints, and what the bell makes of an entry. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { backoff, spread } from "../../client/backoff.js";
import { content } from "../../client/bell-content.js";
import { dictionaries } from "../../client/bell-dictionary.js";
import "../../client/bell-preferences-words.js";
import "../../client/bell-words-ar.js";
import "../../client/bell-words-de.js";
import "../../client/bell-words-es.js";
import "../../client/bell-words-fr.js";
import "../../client/bell-words-he.js";
import "../../client/bell-words-ja.js";
import "../../client/bell-words-pt.js";
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

test("whatever an entry carries, the bell gets texts, a known type and safe addresses", () => {
  const [one, two, three] = ["/x", "https://y/", "/z"].map((url) => ({ label: "L", url }));
  const shown = (data) => content({ event: "alert", data });
  assert.deepEqual(shown({ title: "T", message: "M", type: "error", action: one }), { title: "T", message: "M", type: "error", image: null, actions: [one] });
  assert.deepEqual(shown({ actions: [one, two, three] }).actions, [one, two]);
  for (const data of [null, undefined, 7, "text", [], {}]) assert.deepEqual(content({ event: "invoice", data }), { title: "invoice", message: "", type: "info", image: null, actions: [] });
  assert.deepEqual(shown({ type: "__proto__", action: { label: "L", url: "javascript:alert(1)" } }).actions, []);
  for (const actions of [{}, "text", [null], [7], [{ url: "/x" }], [{ label: 7, url: "/x" }]]) assert.deepEqual(shown({ actions }).actions, []);
  for (const image of ["https://host/a.png", "/a.png"]) assert.equal(shown({ image }).image, image);
  for (const image of ["http://host/a.png", "HTTP://host/a.png", "//host/a.png", "data:image/png,x", "javascript:x", 7, {}]) assert.equal(shown({ image }).image, null);
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

test("every language says everything that English says, in its plural forms", () => {
  const own = readdirSync(fileURLToPath(new URL("../../client/", import.meta.url))).map((name) => /^bell-words-(\w+)\.js$/.exec(name)?.[1]).filter(Boolean);
  const { en, ...others } = dictionaries;
  assert.deepEqual(Object.keys(others).sort(), own.sort(), "each file is tested here");
  assert.ok(own.length >= 7 && "quietHours" in en, "with the words that are loaded later");
  const placeholders = (text) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();
  for (const [lang, words] of Object.entries(others)) {
    assert.deepEqual(Object.keys(words).sort(), Object.keys(en).sort(), lang);
    const forms = new Intl.PluralRules(lang).resolvedOptions().pluralCategories;
    for (const [key, word] of Object.entries(words)) {
      if (key === "types") assert.deepEqual(Object.keys(word), Object.keys(en.types), lang);
      else if (typeof en[key] === "string") assert.deepEqual(placeholders(word), placeholders(en[key]), `${lang} ${key}`);
      else for (const form of forms) assert.ok(word[form] !== undefined || (form === "many" && lang === "he"), `${lang} ${key}: ${form}`);
      for (const text of typeof word === "string" ? [word] : Object.values(word)) assert.ok(text.trim().length > 0 && !/[{}]/.test(text.replace(/\{\w+\}/g, "")), `${lang} ${key}`);
    }
  }
});

test("the day of an entry: today, yesterday, else the date", () => {
  const noon = new Date(2027, 2, 29, 12).getTime(); // the day after clocks change in Europe
  const day = (back) => new Date(2027, 2, 29 - back).getTime();
  const en = new Words("en-GB");
  assert.deepEqual([0, 1, 2].map((back) => en.day(day(back), noon)), ["Today", "Yesterday", "27 Mar 2027"]);
  assert.deepEqual(["de", "fr", "es", "pt", "ja", "he"].map((lang) => new Words(lang).day(day(0), noon)), ["Heute", "Aujourd’hui", "Hoy", "Hoje", "今日", "היום"]);
});
