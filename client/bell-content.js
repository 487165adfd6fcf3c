/** What is shown of an entry, whatever the application put into it: texts, a known type, safe addresses. */
import { h } from "./bell-dom.js";
import { safeUrl } from "./url.js";

const text = (value, otherwise = "") => (typeof value === "string" ? value : otherwise);

/** An image is not loaded without encryption from another site. */
const safeImage = (url) => (/^http:/i.test(url) ? null : safeUrl(url));

export function content({ event, data }) {
  const { title, message, type, image, action, actions } = Object(data);
  const links = Array.isArray(actions) ? actions.slice(0, 2) : [action];
  return {
    title: text(title, event),
    message: text(message),
    type: ["info", "success", "warning", "error"].includes(type) ? type : "info",
    image: safeImage(image),
    actions: links.map((one) => ({ url: safeUrl(one?.url), label: text(one?.label) })).filter(({ url, label }) => url && label),
  };
}

/**
 * The actions as real links: each can be opened in a new tab, copied, and read by every tool. Null without any.
 * @param chosen called with the url and the click
 */
export function links(actions, chosen, props) {
  if (!actions.length) return null;
  return h("div", { class: "actions" }, ...actions.map(({ url, label }, i) =>
    h("a", { part: i ? "action second" : "action", class: i ? "action second" : "action", dir: "auto", href: url, onclick: (event) => chosen(url, event), ...props }, label)));
}

/** The image: decoration, for the text says what has happened. One that cannot be loaded leaves no gap. */
export const picture = (url) => url && h("img", { part: "image", class: "image", src: url, alt: "", loading: "lazy", decoding: "async", referrerpolicy: "no-referrer", onerror: ({ currentTarget }) => currentTarget.remove() });
