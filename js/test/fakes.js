// A clock, a network and a page that do only what a test says.

export function fakeEnv({ random = () => 0.5 } = {}) {
  let now = 1_000_000;
  let timers = [];
  let order = 0;
  const listeners = new Map();
  const requests = [];
  const stores = { session: fakeStorage(), local: fakeStorage() };
  const page = { hidden: false, offline: false, http1: false };

  /** Lets promises that are ready run; no time passes. */
  const settle = async () => {
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
  };

  const env = {
    fetch(url, init) {
      return new Promise((resolve, reject) => {
        const request = fakeRequest(url, init, resolve, reject);
        requests.push(request);
      });
    },
    now: () => now,
    random,
    after(fn, ms) {
      const timer = { fn, at: now + Math.max(0, ms), order: (order += 1) };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
    on(type, fn) {
      const set = listeners.get(type) || new Set();
      listeners.set(type, set.add(fn));
      return () => set.delete(fn);
    },
    hidden: () => page.hidden,
    offline: () => page.offline,
    http1: () => page.http1,
    session: () => stores.session,
    local: () => stores.local,
  };

  return {
    env,
    page,
    requests,
    stores,
    settle,
    get last() {
      return requests.at(-1);
    },
    get timers() {
      return timers.length;
    },
    listeners: () => [...listeners.values()].reduce((sum, set) => sum + set.size, 0),
    async fire(type, event = {}) {
      for (const fn of [...(listeners.get(type) || [])]) fn(event);
      await settle();
    },
    /** Time passes; timers run in order, and promises between them. */
    async pass(ms) {
      const until = now + ms;
      await settle();
      for (;;) {
        const next = timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at || a.order - b.order)[0];
        if (!next) break;
        timers = timers.filter((timer) => timer !== next);
        now = Math.max(now, next.at);
        next.fn();
        await settle();
      }
      now = until;
    },
    async show(visible) {
      page.hidden = !visible;
      await this.fire("visibilitychange");
    },
  };
}

function fakeRequest(url, init, resolve, reject) {
  let controller;
  const encoder = new TextEncoder();
  const settle = async () => {
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
  };
  const request = {
    url,
    init,
    body: init?.body ? JSON.parse(init.body) : null,
    aborted: false,
    async answer(status, headers = {}, body = null) {
      const response = status ? new Response(body, { status, headers }) : { status: 0, headers: new Headers(), body: null };
      resolve(response);
      await settle();
    },
    async open(hello = { cursor: "1~e~a", grants: {} }) {
      const body = new ReadableStream({ start: (given) => void (controller = given) });
      await this.answer(200, { "Content-Type": "text/event-stream; charset=utf-8" }, body);
      if (hello) await this.send("rt:hello", hello);
    },
    async send(event, data, id) {
      await this.write((event ? `event: ${event}\n` : "") + (id ? `id: ${id}\n` : "") + (data ? `data: ${JSON.stringify(data)}\n` : "") + "\n");
    },
    async write(text) {
      controller.enqueue(encoder.encode(text));
      await settle();
    },
    async end() {
      controller.close();
      await settle();
    },
    async fail() {
      if (controller) controller.error(new TypeError("network"));
      else reject(new TypeError("network"));
      await settle();
    },
  };
  init?.signal?.addEventListener("abort", () => {
    request.aborted = true;
    reject(new DOMException("aborted", "AbortError"));
    try {
      controller?.error(new DOMException("aborted", "AbortError"));
    } catch {
      // It had ended before.
    }
  });
  return request;
}

export function fakeStorage() {
  const map = new Map();
  return {
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, value) => void map.set(key, String(value)),
    removeItem: (key) => void map.delete(key),
  };
}
