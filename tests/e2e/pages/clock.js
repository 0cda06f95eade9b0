// Virtual time: every timer of the page, htmx's too, runs when the test says so.

const channel = new MessageChannel();
/** All microtasks that are due, however deep they nest. */
const drain = () => new Promise((resolve) => {
  channel.port1.onmessage = resolve;
  channel.port2.postMessage(0);
});

export function createClock() {
  let now = 0;
  let count = 0;
  const queue = [];

  const at = (time, run) => {
    const entry = { time: Math.max(now, time), n: ++count, run };
    let index = queue.length;
    while (index && queue[index - 1].time > entry.time) index--;
    queue.splice(index, 0, entry);
    return entry.n;
  };
  const cancel = (n) => {
    const index = queue.findIndex((entry) => entry.n === n);
    if (index >= 0) queue.splice(index, 1);
  };

  return {
    now: () => now,
    after: (delay, run) => at(now + delay, run),

    /** Replaces the page's timers. */
    install() {
      window.setTimeout = (run, delay = 0, ...args) => at(now + Number(delay), () => run(...args));
      window.clearTimeout = cancel;
      window.setInterval = () => 0;
    },

    /** Runs everything until nothing is due any more. */
    async run() {
      for (let entry; (entry = queue.shift());) {
        now = entry.time;
        entry.run();
        await drain();
      }
    },
  };
}
