export { NotificationBadge } from "./badge.js";
export { Dictionary, NotificationBell, addWords } from "./bell.js";
export * from "./notifier.js";
export { safeUrl } from "./url.js";
