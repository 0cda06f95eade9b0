// What htmx sends, answered by a function instead of a network: `answer(request, respond)`.

/** @param {(request: {method: string, url: string, headers: Record<string, string>}, respond: (answer: {status: number, headers: Record<string, string>, text: string}) => void) => void} answer */
export function installTransport(answer) {
  window.fetch = (url, { method = "GET", headers = {} } = {}) => new Promise((resolve) => {
    answer({ method, url: String(url), headers }, ({ status, headers: fields, text }) =>
      resolve({ status, url: String(url), headers: new Headers(fields), text: async () => text }));
  });

  window.XMLHttpRequest = class extends EventTarget {
    upload = new EventTarget();
    readyState = 0;
    status = 0;
    response = "";
    #headers = {};
    #fields = new Headers();
    open(method, url) {
      Object.assign(this, { method, url, responseURL: new URL(url, location.href).href, readyState: 1 });
    }
    overrideMimeType() {}
    setRequestHeader(name, value) {
      this.#headers[name] = value;
    }
    getResponseHeader(name) {
      return this.#fields.get(name);
    }
    getAllResponseHeaders() {
      return [...this.#fields].map(([name, value]) => `${name}: ${value}\r\n`).join("");
    }
    send() {
      answer({ method: this.method, url: this.url, headers: this.#headers }, ({ status, headers, text }) => {
        this.#fields = new Headers(headers);
        Object.assign(this, { status, response: text, responseText: text, readyState: 4 });
        this.dispatchEvent(new Event("readystatechange"));
        this.onload?.();
        this.dispatchEvent(new ProgressEvent("load"));
        this.dispatchEvent(new ProgressEvent("loadend"));
      });
    }
    abort() {}
  };
}
