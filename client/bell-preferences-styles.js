/** How the preferences look, beside what they share with the panel (bell-styles.js). */

const CSS = `
.panel[data-view] { inline-size: max(var(--bell-width, 25rem), 34rem); container: panel / inline-size; }
.preferences { display: flex; flex-direction: column; min-block-size: 0; flex: 1; outline: none; }
.preferences .head { padding-inline-start: 0.5rem; }
.grow { flex: 1; padding-inline-start: 0.25rem; }
:host(:dir(rtl)) .back .icon { scale: -1 1; }
.prefs { display: grid; }
.prefs > section { padding: 0.875rem 1rem; border-block-end: 1px solid var(--line); }
.prefs > section:last-child { border: 0; }
.prefs h3 { margin: 0; font-size: 1rem; font-weight: 700; }
.about, .hint, .source { color: var(--muted); font-size: 0.8125rem; font-weight: 400; overflow-wrap: anywhere; }
.about, .hint { display: block; }
.hint:empty { display: none; }
.hint .icon { display: inline-block; vertical-align: text-bottom; inline-size: 1rem; block-size: 1rem; margin-inline-end: 0.25rem; }
.choices { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-block-start: 0.5rem; }
.prefs > section > select { margin-block-start: 0.375rem; }
.paused { font-weight: 600; }

.table { overflow-x: auto; padding: 3px; margin: -3px; }
.prefs table { inline-size: 100%; border-collapse: collapse; margin-block-start: 0.25rem; }
.prefs th, .prefs td { padding: 0.625rem 0.375rem; vertical-align: top; text-align: start; border-block-end: 1px solid var(--line); }
.prefs th:first-child { padding-inline-start: 0; }
.prefs td:last-child, .prefs thead th:last-child { padding-inline-end: 0; }
.prefs thead th { font-size: 0.8125rem; font-weight: 600; color: var(--muted); padding-block: 0.25rem; vertical-align: bottom; }
.prefs tfoot th, .prefs tfoot td { border: 0; }
.prefs tbody th { inline-size: 45%; }
.category { font-weight: 600; overflow-wrap: anywhere; display: block; }
.prefs td > .label { display: none; }
.prefs td > .source { display: block; }
.reset { inline-size: 1.5rem; block-size: 1.5rem; display: grid; place-items: center; color: var(--muted); margin-block-start: 0.125rem; }
.reset:hover { background: var(--hover); color: var(--text); }
.reset .icon { inline-size: 1rem; block-size: 1rem; }

.switch { appearance: none; inline-size: 2.5rem; block-size: 1.5rem; margin: 0; border-radius: 1rem; border: 2px solid var(--muted); background: var(--surface); position: relative; cursor: pointer; flex: none; display: block; }
.switch::before { content: ""; position: absolute; inset-block: 0.1875rem; inset-inline-start: 0.1875rem; inline-size: 0.875rem; border-radius: 50%; background: var(--muted); }
.switch:checked { background: var(--accent); border-color: var(--accent); }
.switch:checked::before { inset-inline-start: calc(100% - 1.0625rem); background: var(--surface); }
.switch:disabled, .prefs select:disabled { cursor: not-allowed; opacity: 0.6; }
.prefs select, .prefs input[type="time"] { font: inherit; font-size: 0.875rem; color: var(--text); background: var(--surface); border: 1px solid var(--muted); border-radius: 8px; min-block-size: 2rem; padding-inline: 0.375rem; max-inline-size: 100%; }

.switched { display: flex; align-items: center; justify-content: space-between; gap: 1rem; }
.fields { display: grid; gap: 0.75rem; margin-block-start: 0.5rem; font-size: 0.875rem; }
.row { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; }
.field { display: flex; align-items: center; gap: 0.5rem; }
.days { display: flex; flex-wrap: wrap; gap: 0.375rem; margin-block-start: 0.25rem; }
.day { position: relative; cursor: pointer; }
.day > input { position: absolute; inset: 0; inline-size: 100%; block-size: 100%; margin: 0; opacity: 0; cursor: pointer; }
.day > span { display: grid; place-items: center; min-inline-size: 2.5rem; min-block-size: 2rem; padding-inline: 0.375rem; border: 1px solid var(--muted); border-radius: 8px; }
.day > :checked + span { background: var(--accent); border-color: var(--accent); color: var(--surface); font-weight: 600; }
.day > :focus-visible + span { outline: 2px solid var(--accent); outline-offset: 2px; }

@container panel (max-width: 28rem) {
  .prefs table, .prefs thead, .prefs tbody, .prefs tfoot, .prefs th { display: block; inline-size: auto; }
  .prefs thead { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
  .prefs tr { display: flex; flex-wrap: wrap; gap: 0.5rem 1.25rem; padding-block: 0.75rem; border-block-end: 1px solid var(--line); }
  .prefs tfoot tr { border: 0; padding-block-end: 0; }
  .prefs th, .prefs td { padding: 0; border: 0; }
  .prefs tr > th { flex: 1 0 100%; }
  .prefs td { display: grid; gap: 0.25rem; align-content: start; min-inline-size: 5rem; }
  .prefs td:empty { display: none; }
  .prefs td > .label { display: block; font-size: 0.8125rem; font-weight: 600; }
}
@media (max-width: 30rem) { .panel[data-view] { inline-size: 100%; } .prefs select { min-block-size: 2.5rem; } }
@media (forced-colors: active) {
  .switch { border-color: ButtonText; } .switch::before { background: ButtonText; forced-color-adjust: none; }
  .switch:checked { background: Highlight; forced-color-adjust: none; } .switch:checked::before { background: HighlightText; }
  .switch:disabled { border-color: GrayText; opacity: 1; }
  .day > :checked + span { background: Highlight; color: HighlightText; forced-color-adjust: none; }
}
@media (prefers-reduced-motion: no-preference) { .switch::before { transition: inset-inline-start 0.12s; } }
`;

let shared;

/** Adds the sheet to a bell's root, once. */
export function addStyles(root) {
  if (!shared) {
    shared = new CSSStyleSheet();
    shared.replaceSync(CSS);
  }
  if (!root.adoptedStyleSheets.includes(shared)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, shared];
}
