// Fetches the tiles of this moment every ten seconds while the page is visible, and says when that fails.

const EVERY = 10_000; // milliseconds
const FOCUS = "a, [tabindex]"; // what can have the focus, which a replacement must keep
let timer = 0;

function say(text) {
  document.querySelector("#now [data-trouble]").textContent = ` – ${text}`;
}

function look() {
  const place = document.querySelector("#now");
  const request = new XMLHttpRequest(); // gives a document without text that becomes markup (trusted types)
  request.open("GET", place.dataset.url);
  request.responseType = "document";
  request.timeout = EVERY;
  request.onload = () => {
    const fresh = request.status === 200 ? request.response?.querySelector("#now") : null;
    if (!fresh) {
      say(request.responseURL.endsWith("/sign-in") ? "you are signed out; reload the page to sign in." : `not fetched since: the service answered ${request.status}.`);
      return;
    }
    const at = [...place.querySelectorAll(FOCUS)].indexOf(document.activeElement);
    place.replaceWith(document.adoptNode(fresh));
    if (at >= 0) document.querySelectorAll(`#now :is(${FOCUS})`)[at]?.focus({ preventScroll: true });
  };
  request.onerror = request.ontimeout = () => say("not fetched since: the service does not answer.");
  request.send();
}

function start() {
  clearInterval(timer);
  if (document.hidden) return;
  timer = setInterval(look, EVERY);
}

document.addEventListener("visibilitychange", () => {
  start();
  if (!document.hidden) look();
});
start();
