/** Asks the page's own server for a user token: `{"token": "…"}` as JSON, or the bare token as text. */
export async function fetchToken(url) {
  const answer = await fetch(url, { credentials: "same-origin", cache: "no-store" });
  if (answer.status === 401 || answer.status === 403) return null; // signed out: asking again changes nothing
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  const text = (await answer.text()).trim();
  return text.startsWith("{") ? JSON.parse(text).token : text;
}
