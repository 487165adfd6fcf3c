/** The server's rule for an action's url (docs/contract.md, section 3), checked again in the browser. */

/* eslint-disable-next-line no-control-regex */
const FORBIDDEN = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff\\]/;

/**
 * An url that is safe to put into a link: absolute http(s), or a path on the same site that begins
 * with exactly one slash. Anything else (`javascript:`, `data:`, `//host`, backslashes, blanks and
 * control characters, which browsers strip before they parse) gives null.
 */
export function safeUrl(url) {
  if (typeof url !== "string" || FORBIDDEN.test(url)) return null;
  if (/^\/(?!\/)/.test(url)) return url;
  if (!/^https?:\/\/[^/]/i.test(url)) return null;
  try {
    new URL(url);
    return url;
  } catch {
    return null;
  }
}
