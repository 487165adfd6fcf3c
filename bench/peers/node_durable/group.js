// Calls that come while one is running share the next: `work` gets their items, and answers each.
export function group(work, most, atOnce = 1) {
  const waiting = [];
  let running = 0;

  async function run() {
    running += 1;
    while (waiting.length > 0) {
      const calls = waiting.splice(0, most);
      try {
        const answers = await work(calls.map((call) => call.item));
        calls.forEach((call, at) => call.resolve(answers[at]));
      } catch (error) {
        for (const call of calls) call.reject(error);
      }
    }
    running -= 1;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (running < atOnce) run();
    });
}
