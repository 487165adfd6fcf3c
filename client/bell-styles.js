/**
 * How the bell looks. Constructable stylesheets need no `unsafe-inline`, and the place of the panel is
 * a rule of its own too, so that no element ever gets a style attribute.
 * Colours are pairs of WCAG AA contrast on their surfaces, in both schemes (tests/acceptance, axe-core).
 */

const LIGHT = `
  --surface: var(--bell-surface, #fff); --text: var(--bell-text, #1b2330); --muted: var(--bell-muted, #525c6b);
  --line: var(--bell-line, #d8dde6); --accent: var(--bell-accent, #1d4ed8); --fresh: var(--bell-fresh, #f0f5ff);
  --hover: var(--bell-hover, #e6eaf1); --info: var(--bell-info, #1d4ed8); --success: var(--bell-success, #146c36);
  --warning: var(--bell-warning, #855000); --error: var(--bell-error, #b3231b);
  --count: var(--bell-count, #c62828); --count-text: var(--bell-count-text, #fff); --shade: #1b233033;`;
const DARK = `
  --surface: var(--bell-surface, #181d27); --text: var(--bell-text, #e9edf4); --muted: var(--bell-muted, #a9b3c2);
  --line: var(--bell-line, #36404f); --accent: var(--bell-accent, #a3c2ff); --fresh: var(--bell-fresh, #212b3d);
  --hover: var(--bell-hover, #2c3647); --info: var(--bell-info, #a3c2ff); --success: var(--bell-success, #74d99d);
  --warning: var(--bell-warning, #f0c267); --error: var(--bell-error, #ffa399);
  --count: var(--bell-count, #ff8a80); --count-text: var(--bell-count-text, #2b0805); --shade: #000a;`;

const CSS = `
:host { ${LIGHT} display: inline-block; position: relative; font: var(--bell-font, 400 0.9375rem/1.45 system-ui, sans-serif); text-align: start; }
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { ${DARK} } }
:host([theme="dark"]) { ${DARK} }
:host([hidden]), [hidden] { display: none !important; }
*, ::before { box-sizing: border-box; }
p, h2 { margin: 0; font-size: inherit; }
button, a { font: inherit; color: inherit; }
button { cursor: pointer; background: none; border: 0; padding: 0; border-radius: 8px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.hidden { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.icon { inline-size: 1.25rem; block-size: 1.25rem; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; display: block; }

.bell { position: relative; inline-size: 2.75rem; block-size: 2.75rem; display: grid; place-items: center; color: var(--bell-icon, currentColor); border-radius: 50%; }
.bell .icon { inline-size: 1.5rem; block-size: 1.5rem; }
.bell:hover { background: color-mix(in srgb, currentColor 12%, transparent); }
.bell[data-state="offline"] .icon, .bell[data-state="misconfigured"] .icon, .bell[data-state="unauthorized"] .icon { opacity: 0.6; }
.count { position: absolute; inset-block-start: 0; inset-inline-start: 52%; min-inline-size: 1.25rem; padding-inline: 0.3rem; border-radius: 1rem; background: var(--count); color: var(--count-text); font: 700 0.75rem/1.25rem system-ui, sans-serif; text-align: center; border: 0; }

.panel, .toasts { position: fixed; inset: auto; margin: 0; padding: 0; border: 0; color: var(--text); background: none; z-index: 2147483000; overflow: visible; }
.panel { inline-size: var(--bell-width, 25rem); max-inline-size: calc(100vw - 1rem); background: var(--surface); border: 1px solid var(--line); border-radius: var(--bell-radius, 14px); box-shadow: 0 12px 40px var(--shade); flex-direction: column; overflow: hidden; }
.panel:not([hidden]) { display: flex; }
.head { display: flex; align-items: center; gap: 0.25rem; padding: 0.625rem 0.625rem 0.625rem 1rem; border-block-end: 1px solid var(--line); }
:host(:dir(rtl)) .head { padding: 0.625rem 1rem 0.625rem 0.625rem; }
h2 { font-weight: 700; font-size: 1.0625rem; }
.sum { flex: 1; min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding-inline-start: 0.5rem; color: var(--muted); font-size: 0.875rem; }
.tool { flex: none; inline-size: 2.25rem; block-size: 2.25rem; display: grid; place-items: center; color: var(--muted); }
.tool:hover { background: var(--hover); color: var(--text); }
.tool[aria-disabled] { opacity: 0.4; cursor: default; background: none; }
.note { display: flex; align-items: center; gap: 0.5rem; padding: 0.5rem 1rem; background: var(--hover); font-size: 0.875rem; }
.note[data-bad] { color: var(--error); }
.note[data-none] { display: none; }
.options { padding: 0.5rem 1rem; border-block-end: 1px solid var(--line); display: grid; gap: 0.125rem; }
.options label { display: flex; align-items: center; gap: 0.625rem; min-block-size: 2rem; cursor: pointer; }
.options input { inline-size: 1.125rem; block-size: 1.125rem; accent-color: var(--accent); margin: 0; }

.tabs { display: flex; gap: 0.25rem; padding: 0 0.75rem; border-block-end: 1px solid var(--line); }
.tab { min-block-size: 2.5rem; padding-inline: 0.75rem; color: var(--muted); border-radius: 8px 8px 0 0; border-block-end: 3px solid transparent; }
.tab:hover { background: var(--hover); color: var(--text); }
.tab[aria-selected="true"] { color: var(--text); font-weight: 600; border-block-end-color: var(--accent); }
.tab:focus-visible { outline-offset: -3px; }
.undo { display: flex; align-items: center; gap: 0.75rem; padding: 0.375rem 1rem; border-block-start: 1px solid var(--line); background: var(--hover); font-size: 0.875rem; }
.undo[data-none] { padding: 0; border: 0; }
.undo > span { flex: 1; min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.undo-button { min-block-size: 2rem; padding-inline: 0.75rem; border: 1px solid var(--accent); color: var(--accent); font-weight: 600; background: var(--surface); }
.day { margin: 0; padding: 0.625rem 1rem 0.25rem; font-size: 0.8125rem; font-weight: 700; color: var(--muted); }
.image { max-inline-size: 100%; max-block-size: 10rem; object-fit: cover; border-radius: 8px; margin-block-start: 0.375rem; }
.actions { display: flex; flex-wrap: wrap; gap: 0 0.5rem; max-inline-size: 100%; }
.own { inline-size: 100%; overflow-wrap: anywhere; }
.scroll { overflow-y: auto; overscroll-behavior: contain; flex: 1; min-block-size: 0; }
.group { content-visibility: auto; contain-intrinsic-size: auto 6.5rem; }
.group[data-full] { contain-intrinsic-size: auto 325rem; }
.group:empty { contain-intrinsic-size: none; }
.item { display: flex; gap: 0.75rem; padding: 0.75rem 0.5rem 0.75rem 1rem; border-block-end: 1px solid var(--line); position: relative; contain: layout paint; }
:host(:dir(rtl)) .item { padding: 0.75rem 1rem 0.75rem 0.5rem; }
.item:focus-visible { outline-offset: -3px; border-radius: 6px; }
.item[data-unread] { background: var(--fresh); }
.item[data-unread]::before { content: ""; position: absolute; inset-block: 0; inset-inline-start: 0; inline-size: 4px; background: var(--accent); }
.sign { flex: none; inline-size: 2rem; block-size: 2rem; display: grid; place-items: center; border-radius: 50%; color: var(--kind); border: 2px solid currentColor; margin-block-start: 0.125rem; }
[data-type="info"] { --kind: var(--info); } [data-type="success"] { --kind: var(--success); }
[data-type="warning"] { --kind: var(--warning); } [data-type="error"] { --kind: var(--error); }
.body { flex: 1; min-inline-size: 0; display: grid; gap: 0.125rem; justify-items: start; align-content: start; }
.meta { display: flex; flex-wrap: wrap; gap: 0 0.5rem; inline-size: 100%; color: var(--muted); font-size: 0.8125rem; }
.meta > :first-child { margin-inline-end: auto; }
.type { color: var(--kind); font-weight: 600; }
.title, .message { overflow-wrap: anywhere; inline-size: 100%; overflow: clip; overflow-clip-margin: 0.25rem; unicode-bidi: isolate; }
.title { font-weight: 500; }
.toast .title { font-weight: 700; }
[data-unread] .title { font-weight: 700; }
.message { color: var(--muted); white-space: pre-line; }
.folded { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 4; overflow: hidden; }
.action { display: inline-block; margin-block-start: 0.375rem; padding: 0.25rem 0.75rem; border: 1px solid var(--accent); border-radius: 8px; color: var(--accent); font-weight: 600; text-decoration: none; overflow-wrap: anywhere; max-inline-size: 100%; }
.action.second { border-color: var(--line); color: var(--text); }
.action:hover { background: var(--hover); text-decoration: underline; }
.fold { color: var(--accent); min-block-size: 1.5rem; font-size: 0.875rem; text-decoration: underline; }
.menu { display: flex; flex-wrap: wrap; gap: 0.375rem; margin-block-start: 0.375rem; }
.choice, .date { padding: 0.25rem 0.75rem; border: 1px solid var(--line); border-radius: 8px; min-block-size: 2rem; color: var(--text); background: var(--surface); font: inherit; }
.choice:hover { background: var(--hover); }
.tools { display: flex; flex-direction: column; gap: 0.125rem; }
.foot { padding: 1rem; text-align: center; color: var(--muted); font-size: 0.875rem; display: grid; gap: 0.5rem; justify-items: center; }
.foot button { padding: 0.25rem 0.875rem; border: 1px solid var(--line); min-block-size: 2rem; color: var(--text); }
.foot button:hover { background: var(--hover); }
.bar { border-block-start: 1px solid var(--line); padding: 0.25rem 0.5rem; }
:host([no-preferences]) .bar { display: none; }
.to-preferences { min-block-size: 2.25rem; padding-inline: 0.5rem; color: var(--muted); font-size: 0.875rem; }
.to-preferences:hover { background: var(--hover); color: var(--text); }
.panel[data-view] > :not(.preferences) { display: none; }
.blank { padding: 2.5rem 1.5rem; text-align: center; color: var(--muted); display: grid; gap: 0.25rem; justify-items: center; }
.blank .icon { inline-size: 2.5rem; block-size: 2.5rem; stroke-width: 1.5; margin-block-end: 0.5rem; }
.blank strong { color: var(--text); }
.wait { inline-size: 1.5rem; block-size: 1.5rem; border-radius: 50%; border: 3px solid var(--line); border-block-start-color: var(--accent); }

.toasts { inset-block-end: 1rem; inset-inline-end: 1rem; inline-size: min(22rem, calc(100vw - 2rem)); }
.toasts:popover-open { display: grid; gap: 0.625rem; }
.toast { display: flex; gap: 0.75rem; padding: 0.75rem 0.5rem 0.75rem 0.875rem; background: var(--surface); border: 1px solid var(--line); border-inline-start: 4px solid var(--kind); border-radius: var(--bell-radius, 12px); box-shadow: 0 8px 28px var(--shade); contain: layout paint; }

@media (max-width: 30rem) {
  .panel { inset: 0 !important; inline-size: 100%; max-inline-size: none; max-block-size: none !important; block-size: 100%; border: 0; border-radius: 0; }
  .tool { inline-size: 2.5rem; block-size: 2.75rem; }
  .head { gap: 0; }
  .sum { font-size: 0.8125rem; padding-inline-start: 0.375rem; }
}
@media (max-height: 24rem) { .panel { overflow-y: auto; } .scroll { min-block-size: 10rem; } }
@media (prefers-reduced-motion: no-preference) {
  .toast { animation: in 0.2s ease-out; }
  .panel { animation: in 0.12s ease-out; }
  .wait { animation: turn 0.9s linear infinite; }
  @keyframes in { from { opacity: 0; translate: 0 0.5rem; } }
  @keyframes turn { to { rotate: 1turn; } }
}
@media print { :host { display: none !important; } }
@media (forced-colors: active) { .tab[aria-selected="true"] { border-block-end-color: Highlight; } .count, .sign, .item[data-unread]::before { forced-color-adjust: none; } .toast { border: 2px solid; } }
`;

/** On a phone the panel covers the page, which must not scroll behind it. */
const LOCKED = "@media (max-width: 30rem) { html { overflow: hidden !important; } }";

let shared;
let locked;

/** Keeps the page below a full-screen panel where it is, or lets it go again. */
export function lockPage(on) {
  locked ??= sheet(LOCKED);
  const others = document.adoptedStyleSheets.filter((one) => one !== locked);
  document.adoptedStyleSheets = on ? [...others, locked] : others;
}

/** The sheet that all bells share, and one of its own for the place of its panel. */
export function styles(root) {
  shared ??= sheet(CSS);
  const own = sheet(".panel {}");
  root.adoptedStyleSheets = [shared, own];
  return own.cssRules[0].style;
}

function sheet(text) {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
}

const GAP = 8;

/** Puts the panel beside its button, on the side with more room, its end edges aligned, inside the window. */
export function place(style, button, panel) {
  const { innerWidth, innerHeight } = window;
  const at = button.getBoundingClientRect();
  const width = panel.offsetWidth;
  const start = getComputedStyle(button).direction === "rtl" ? at.left : at.right - width;
  const below = innerHeight - at.bottom >= Math.min(360, at.top);
  style.left = `${Math.max(GAP, Math.min(start, innerWidth - width - GAP))}px`;
  style.top = below ? `${at.bottom + GAP}px` : "auto";
  style.bottom = below ? "auto" : `${innerHeight - at.top + GAP}px`;
  style.maxHeight = `${Math.min(640, (below ? innerHeight - at.bottom : at.top) - 2 * GAP)}px`;
}
