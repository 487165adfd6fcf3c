/** The url when it may be put into a link (http, https or a path on this site), otherwise null. */
export function safeUrl(url: unknown): string | null;
