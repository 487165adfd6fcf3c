/** The demo's buttons, and what the page shows of the customer's live client beside the bell. */

import { arrived, pressed } from "./happened.js";
import { steppers } from "./steppers.js";

const bell = document.querySelector("notification-bell");
const trouble = document.querySelector("#trouble");
const { customer } = bell.dataset;
const shop = new URL("../", import.meta.url); // wherever the shop is, also below a path

async function post(path, body) {
  trouble?.replaceChildren();
  try {
    const answer = await fetch(new URL(path, shop), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (answer.status === 409) throw new Error("This order was shipped before.");
    if (!answer.ok) throw new Error(`The shop answered ${answer.status}.`);
    return await answer.json();
  } catch (error) {
    trouble?.replaceChildren(`That did not work. ${error.message}`);
    return null;
  }
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  const { ship, place, step, notice } = button.dataset;
  if (ship) {
    button.disabled = true;
    const answered = pressed({ matches: ({ data }) => data.action?.url?.endsWith(`/orders/${ship}/track`) });
    await post(`orders/${ship}/ship`, {});
    answered();
    button.disabled = false;
  } else if ("away" in button.dataset) {
    const away = button.getAttribute("aria-pressed") !== "true";
    if (away) bell.client.close();
    else bell.client.connect();
    button.setAttribute("aria-pressed", String(away));
    button.textContent = away ? "I am back" : "I am away";
  } else if (place) {
    if (await post("shop/orders", { customer: place })) location.reload();
  } else if (notice) {
    await post("shop/notices", { customer, kind: notice });
  } else if (step) {
    const { badge } = button.closest("[data-badge]").dataset;
    stepped?.(badge, Number(step));
  }
});

let stepped; // once the client is there

function follow(client) {
  // An order is marked as shipped by the alert itself, so every open tab shows it.
  client.addEventListener("alert", ({ detail }) => {
    const order = /\/orders\/(\d+)\/track$/.exec(detail.data.action?.url ?? "")?.[1];
    document.querySelector(`[data-order="${order}"]`)?.setAttribute("data-shipped", "");
  });
  client.addEventListener("event", ({ detail }) => arrived(detail, customer));
  stepped = steppers(client, async (badge, count) => {
    const answered = pressed({ matches: ({ data }) => data.type === badge && data.count === count });
    const answer = await post("shop/badges", { customer, type: badge, count });
    answered();
    return answer;
  });
}

await customElements.whenDefined("notification-bell");
if (bell.client) follow(bell.client);
else bell.addEventListener("client", ({ detail }) => follow(detail), { once: true });

const push = document.querySelector("#push");
if (push) {
  const { push: start } = await import(new URL("client/push.js", shop));
  start({ url: shop.pathname, token: bell.getAttribute("token-url"), button: push, client: bell.client }).catch(() => {});
}
