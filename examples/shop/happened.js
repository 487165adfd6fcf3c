/** Shows what a press became: the Python call, the frame, and its timeline. */

const place = document.querySelector(".happened");
const timeline = place?.querySelector("[data-more]").getAttribute("href");
let press = null; // the last one: { at, answered, order, badge, count }

/** Notes a press. The event that it causes may come before the shop's answer. */
export function pressed(what) {
  press = { at: Date.now(), ...what };
  const mine = press;
  return () => {
    mine.answered = Date.now();
  };
}

function call(frame, customer) {
  const user = JSON.stringify(customer);
  if (frame.event === "badge") return `update_badge(${user}, "${frame.data.type}", ${frame.data.count})`;
  const { title, message, type, action } = frame.data;
  const parts = [`title=${JSON.stringify(title)}`, `message=${JSON.stringify(message)}`, `type="${type}"`];
  if (action) parts.push(`action={"label": ${JSON.stringify(action.label)}, "url": ${JSON.stringify(action.url)}}`);
  const category = frame.category ? `,\n    category="${frame.category}"` : "";
  return `send_notification(\n    ${user},\n    Alert(\n        ${parts.join(",\n        ")},\n    )${category},\n)`;
}

function steps(frame, here) {
  const mine = press && here - press.at < 10_000 && press.matches(frame) ? press : null;
  const begin = mine?.at ?? frame.timestamp;
  const after = (at) => `${Math.max(0, at - begin)} ms`;
  const list = mine ? [["0 ms", "you pressed the button"]] : [];
  list.push([after(frame.timestamp), "the service accepted it: it is in SQL, and no crash loses it"]);
  list.push([after(here), `your browser had it, as seq ${frame.seq} of this customer’s log`]);
  return list;
}

/** Shows an event of the customer’s client, as the frame that it came with. */
export function arrived({ live, ...event }, customer) {
  if (!place || event.event.startsWith("inbox.")) return;
  const here = Date.now();
  const frame = { op: "event", room: `user:${customer}`, ...event };
  place.querySelector("[data-nothing]").hidden = true;
  place.querySelector("[data-told]").hidden = false;
  place.querySelector("[data-call]").textContent = call(frame, customer);
  place.querySelector("[data-frame]").textContent = JSON.stringify(frame, null, 2);
  place.querySelector("[data-steps]").replaceChildren(
    ...steps(frame, here).map(([when, what]) => {
      const row = document.createElement("li");
      const time = document.createElement("strong");
      time.textContent = when;
      row.append(time, ` ${what}`);
      return row;
    }),
  );
  place.querySelector("[data-more]").href = `${timeline}${frame.id}?user_id=${encodeURIComponent(customer)}`;
}
