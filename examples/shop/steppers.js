/** The badges' steppers: no press is lost, also while earlier ones are on their way. */

/**
 * @param client the customer's live client
 * @param send sends a count to the shop; resolves to null when that failed
 */
export function steppers(client, send) {
  const wanted = new Map(); // badge -> { count, waiting, heard }: what was pressed for, until the event says the same
  let queue = Promise.resolve();
  const counted = (badge) => wanted.get(badge)?.count ?? client.badges[badge] ?? 0;

  function show() {
    for (const row of document.querySelectorAll("[data-badge]")) {
      const count = counted(row.dataset.badge);
      row.querySelector("output").value = count;
      row.querySelector('[data-step="-1"]').disabled = count === 0;
    }
  }

  function settle(badge) {
    const press = wanted.get(badge);
    if (press && press.waiting === 0 && press.heard) wanted.delete(badge);
    show();
  }

  client.addEventListener("badge", ({ detail }) => {
    const press = wanted.get(detail.data.type);
    if (press && press.count === detail.data.count) press.heard = true;
    settle(detail.data.type);
  });
  client.addEventListener("change", show);
  show();

  return (badge, step) => {
    const count = counted(badge) + step;
    if (count < 0) return;
    const press = { count, waiting: (wanted.get(badge)?.waiting ?? 0) + 1, heard: false };
    wanted.set(badge, press);
    show();
    queue = queue.then(async () => {
      const failed = (await send(badge, count)) === null;
      const last = wanted.get(badge);
      if (!last) return;
      last.waiting -= 1;
      if (failed || client.state !== "live") last.heard = true; // no event will come
      settle(badge);
    });
  };
}
