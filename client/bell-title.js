/** The count outside the page: in the document's title, and on the icon of an installed application. */
import { have } from "./facility.js";

const TITLED = /^\([^)]*\) /;
let badge = 0;

/**
 * @param {string} shown the count as it is written
 * @param {boolean} known false before the first connection, when the icon keeps the count of the last visit
 */
export function showCount(count, shown, known) {
  const title = document.title.replace(TITLED, "");
  const wanted = count ? `(${shown}) ${title}` : title;
  if (document.title !== wanted) document.title = wanted;
  if (count === badge || !known) return;
  badge = count;
  have(() => navigator.setAppBadge(count).catch(() => {}));
}
