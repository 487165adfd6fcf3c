/** All of the client in one module: what the bundle with the bell is made of. */
export { NotificationBadge } from "./badge.js";
export { NotificationBell, addWords } from "./bell.js";
export { ConfigurationError, NotifierClient, RequestError, Store } from "./notifier.js";
export { safeUrl } from "./url.js";
