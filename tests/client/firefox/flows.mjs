/**
 * The bell's flows in Firefox, over WebDriver BiDi: each on the demo's page, with the server of a real site.
 *
 * NOTIFIER_URL and NOTIFIER_KEY name the site, FIREFOX the program. Run by tests/acceptance/test_browser_firefox.py.
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import puppeteer from "puppeteer-core";

const { NOTIFIER_URL, NOTIFIER_KEY, FIREFOX } = process.env;
const CUSTOMER = "customer-1";
const MODIFIER = process.platform === "darwin" ? "Meta" : "Control";

let browser;
let page;
const trouble = [];

before(async () => {
  browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true });
});
after(() => browser?.close());

async function send(title) {
  const answer = await fetch(`${NOTIFIER_URL}/api/notifications`, {
    method: "POST",
    headers: { Authorization: `Bearer ${NOTIFIER_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify({ user_id: CUSTOMER, data: { title, message: `About ${title}.`, type: "info" } }),
  });
  assert.equal(answer.status, 202, await answer.text());
}

async function until(what, condition, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) assert.fail(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Opens the customer's page in a tab of its own. */
async function open() {
  const tab = await browser.newPage();
  tab.on("pageerror", (error) => trouble.push(String(error)));
  await tab.setViewport({ width: 1000, height: 800 });
  await tab.goto(`${NOTIFIER_URL}/?customer=${CUSTOMER}`);
  await until("the bell is live", () => tab.evaluate(() => document.querySelector("#bell")?.client?.state === "live"));
  return tab;
}

const inBell = (tab, does, ...given) => tab.evaluate(`((root, ...given) => (${does})(root, ...given))(document.querySelector("#bell").shadowRoot, ...${JSON.stringify(given)})`);
const find = (selector, tab = page) => tab.waitForSelector(`#bell >>> ${selector}`, { visible: true });
const click = async (selector, tab = page) => (await find(selector, tab)).click();
const titles = (tab = page) => inBell(tab, "(root) => [...root.querySelectorAll('article .title')].map((title) => title.textContent)");
const unread = (tab = page) => tab.evaluate(() => document.querySelector("#bell").client.store.unread);
const shows = (...expected) => until(`shows ${expected} first`, async () => JSON.stringify((await titles()).slice(0, expected.length)) === JSON.stringify(expected));
const lacks = (title) => until(`does not show ${title}`, async () => !(await titles()).includes(title));
const counts = (number, tab = page) => until(`counts ${number}`, async () => (await unread(tab)) === number && (await inBell(tab, "(root) => root.querySelector('.count').textContent")) === String(number));
const focused = (tab = page) => inBell(tab, "(root) => root.activeElement?.getAttribute('part') ?? root.activeElement?.id ?? null");
const entry = (title, part) => inBell(page, "(root, title, part) => { const row = [...root.querySelectorAll('article')].find((one) => one.querySelector('.title').textContent === title); row.querySelector(`[part~=${part}]`).click(); }", title, part);

async function archiveAll() {
  await page.evaluate(async () => {
    const { client } = document.querySelector("#bell");
    await Promise.all(client.items.map(({ id }) => client.archive(id)));
  });
  await until("the inbox is empty", () => page.evaluate(() => document.querySelector("#bell").client.items.length === 0));
}

beforeEach(async () => {
  await Promise.all((await browser.pages()).slice(1).map((tab) => tab.close()));
  page = await open();
  await archiveAll();
  await counts(0).catch(() => {});
});

test("an alert arrives: count, title, toast, and the entry in the panel", async () => {
  await send("First");
  await until("it is counted", async () => (await unread()) === 1);
  await until("the title says so", () => page.evaluate(() => document.title.startsWith("(1) ")));
  const toast = await find(".toast");
  assert.match(await toast.evaluate((node) => node.textContent), /First/);
  await click(".bell");
  await shows("First");
  assert.deepEqual(await inBell(page, "(root) => [...root.querySelectorAll('[role=tab]')].map((tab) => tab.textContent.trim())"), ["All", "Unread", "Archived"]);
});

test("mark as read, and mark all as read by keyboard keeps the focus", async () => {
  await send("One");
  await send("Two");
  await counts(2);
  await click(".bell");
  await shows("Two", "One");
  await entry("One", "toggle");
  await counts(1);
  await inBell(page, "(root) => root.querySelector('[part~=checks]').focus()");
  await page.keyboard.press("Enter");
  await until("all are read", async () => (await unread()) === 0);
  assert.notEqual(await focused(), null, "the focus is still in the bell");
  await page.keyboard.press("Escape");
  await until("the panel is closed", () => inBell(page, "(root) => root.querySelector('#panel').hidden"));
});

test("archive with Undo, by its button and by Ctrl+Z", async () => {
  await send("Kept");
  await counts(1);
  await click(".bell");
  await shows("Kept");
  await entry("Kept", "archive");
  await lacks("Kept");
  await click("[part=undo]");
  await shows("Kept");
  await entry("Kept", "archive");
  await lacks("Kept");
  await page.keyboard.down(MODIFIER);
  await page.keyboard.press("z");
  await page.keyboard.up(MODIFIER);
  await shows("Kept");
  await entry("Kept", "archive");
  await click("#tab-archived");
  await until("it is in the archive", async () => (await titles()).includes("Kept"));
});

test("snooze has a menu, and the entry goes until then", async () => {
  await send("Later");
  await counts(1);
  await click(".bell");
  await shows("Later");
  await entry("Later", "snooze");
  const choices = await until("the menu is open", () => inBell(page, "(root) => { const found = [...root.querySelectorAll('[role=menu]:not([hidden]) [role=menuitem]')].map((one) => one.textContent); return found.length ? found : null; }"));
  assert.equal(choices[0], "In an hour");
  await inBell(page, "(root) => root.querySelector('[role=menu]:not([hidden]) [role=menuitem]').click()");
  await lacks("Later");
  await until("it is not counted", async () => (await unread()) === 0);
});

test("preferences: a switch is kept", async () => {
  const SWITCHES = "[...root.querySelectorAll('.preferences [role=switch], .preferences input[type=checkbox]')].filter((one) => !one.disabled)";
  const openPreferences = async () => {
    await click(".bell");
    await inBell(page, "(root) => root.querySelector('[part~=settings]').click()");
    await click("[part=preferences-button]");
    const count = () => inBell(page, `(root) => ${SWITCHES}.length`);
    await until("all switches are shown", async () => {
      const some = await count(); // those of channels that the browser is asked about come later
      await new Promise((resolve) => setTimeout(resolve, 300));
      return some > 0 && some === await count();
    });
    return inBell(page, `(root) => ${SWITCHES}.map((one) => one.checked ?? one.ariaChecked === "true")`);
  };
  const before = await openPreferences();
  const kept = () => page.evaluate(async () => JSON.stringify(await document.querySelector("#bell").client.preferences()));
  const stored = await kept();
  await inBell(page, `(root) => ${SWITCHES}[0].click()`);
  await until("the server has it", async () => (await kept()) !== stored);
  page = await open();
  const now = await openPreferences();
  assert.deepEqual(now, [!before[0], ...before.slice(1)]);
  const changed = await kept();
  await inBell(page, `(root) => ${SWITCHES}[0].click()`);
  await until("it is back", async () => (await kept()) !== changed);
});

test("two tabs show the same, and one of them has the socket", async () => {
  const other = await open();
  await send("Both");
  await counts(1);
  await counts(1, other);
  const leading = await Promise.all([page, other].map((tab) => tab.evaluate(() => document.querySelector("#bell").client.leading)));
  assert.equal(leading.filter(Boolean).length, 1);
  await other.evaluate(() => document.querySelector("#bell").client.readAll());
  await until("both are read", async () => (await unread()) === 0 && (await unread(other)) === 0);
});

test("after a reload the history is there", async () => {
  await send("Before");
  await counts(1);
  await page.reload();
  await until("live again", () => page.evaluate(() => document.querySelector("#bell")?.client?.state === "live"));
  await counts(1);
  await click(".bell");
  await shows("Before");
});

test("nothing was thrown on any page", () => assert.deepEqual(trouble, []));
