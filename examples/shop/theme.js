/** The page that shows the bell's custom properties and parts live. What it lists is what docs/client.md lists; a test compares them. */

const COLOURS = {
  surface: "#ffffff", text: "#1b2330", muted: "#525c6b", line: "#d8dde6", accent: "#1d4ed8", fresh: "#f0f5ff", hover: "#e6eaf1",
  info: "#1d4ed8", success: "#146c36", warning: "#855000", error: "#b3231b", count: "#c62828", "count-text": "#ffffff",
};
const TEXTS = { icon: "currentColor", width: "25rem", radius: "14px", font: "400 0.9375rem/1.45 system-ui, sans-serif" };
const PARTS = `bell count panel header sum tool options note tabs tab scroll list day item icon type item-title message image action second toggle
  archive restore snooze snooze-menu snooze-choice more fold own empty foot retry undo-bar undo toasts toast dismiss time
  preferences-button preferences categories switch choice reset time-input`.split(/\s+/);

const bell = document.querySelector("#bell");
const look = document.querySelector(".look");
const chosen = {};
const mark = new CSSStyleSheet();
document.adoptedStyleSheets.push(mark);

function write() {
  const lines = Object.entries(chosen).map(([name, value]) => `  ${name}: ${value};`);
  document.querySelector("pre code").textContent = lines.length ? `notification-bell {\n${lines.join("\n")}\n}` : "/* the defaults */";
}

function property(name, value, type) {
  const input = Object.assign(document.createElement("input"), { type, value, id: `property-${name}` });
  const label = Object.assign(document.createElement("label"), { htmlFor: input.id, textContent: `--bell-${name}` });
  input.addEventListener("input", () => {
    chosen[`--bell-${name}`] = input.value;
    bell.style.setProperty(`--bell-${name}`, input.value);
    write();
  });
  document.querySelector(".properties").append(label, input);
}

function part(name) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
  const show = (on) => () => mark.replaceSync(on ? `notification-bell::part(${name}) { outline: 3px solid magenta; outline-offset: -3px; }` : "");
  for (const [type, on] of [["pointerenter", true], ["focus", true], ["pointerleave", false], ["blur", false]]) button.addEventListener(type, show(on));
  document.querySelector(".parts").append(button);
}

for (const [name, value] of Object.entries(COLOURS)) property(name, value, "color");
for (const [name, value] of Object.entries(TEXTS)) property(name, value, "text");
PARTS.forEach(part);
write();

// The bell closes when something else is used; while its look is edited, it stays open.
look.addEventListener("pointerdown", (event) => event.stopPropagation());
window.addEventListener("focusout", (event) => { if (look.contains(event.relatedTarget)) event.stopImmediatePropagation(); }, true);
document.querySelector("[data-show]").addEventListener("click", () => bell.show());
