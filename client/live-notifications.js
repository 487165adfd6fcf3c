/** The whole client in one module: the source of the bundle with the bell. */
export { NotificationBadge } from "./badge.js";
export { NotificationBell, addWords } from "./bell.js";
export { ConfigurationError, NotifierClient, RequestError, Store } from "./notifier.js";
export { safeUrl } from "./url.js";
