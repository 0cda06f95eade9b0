// As much of a document as the pure modules touch: elements, text, ids and attributes; no layout, no parser errors.

class FakeNode {
  parentNode = null;
  childNodes = [];
  get parentElement() { return this.parentNode?.nodeType === 1 ? this.parentNode : null; }
  get firstChild() { return this.childNodes[0] ?? null; }
  get lastChild() { return this.childNodes.at(-1) ?? null; }
  get children() { return this.childNodes.filter((node) => node.nodeType === 1); }
  get firstElementChild() { return this.children[0] ?? null; }
  get lastElementChild() { return this.children.at(-1) ?? null; }
  #beside(step, list) {
    const all = this.parentNode?.[list] ?? [];
    return all[all.indexOf(this) + step] ?? null;
  }
  get nextSibling() { return this.#beside(1, "childNodes"); }
  get previousSibling() { return this.parentNode?.childNodes[this.parentNode.childNodes.indexOf(this) - 1] ?? null; }
  get nextElementSibling() { return this.#beside(1, "children"); }
  get previousElementSibling() {
    const all = this.parentNode?.children ?? [];
    return all[all.indexOf(this) - 1] ?? null;
  }
  get isConnected() {
    for (let node = this; node; node = node.parentNode) if (node.nodeType === 9) return true;
    return false;
  }
  contains(other) {
    for (let node = other; node; node = node.parentNode) if (node === this) return true;
    return false;
  }
  remove() {
    const all = this.parentNode?.childNodes;
    if (all) all.splice(all.indexOf(this), 1);
    this.parentNode = null;
  }
  insertBefore(node, ref) {
    for (const one of node.nodeType === 11 ? [...node.childNodes] : [node]) {
      if (one === ref) continue;
      one.remove();
      this.childNodes.splice(ref ? this.childNodes.indexOf(ref) : this.childNodes.length, 0, one);
      one.parentNode = this;
    }
    return node;
  }
  append(...nodes) { for (const node of nodes) this.insertBefore(node, null); }
  replaceChildren(...nodes) {
    for (const node of [...this.childNodes]) node.remove();
    this.append(...nodes);
  }
  replaceWith(node) {
    const { parentNode, nextSibling } = this;
    const ref = nextSibling === node ? node.nextSibling : nextSibling;
    this.remove();
    parentNode.insertBefore(node, ref);
  }
  querySelectorAll(selector) {
    const found = [];
    const walk = (node) => {
      for (const child of node.children) {
        if (child.matches(selector)) found.push(child);
        walk(child);
      }
    };
    walk(this);
    return found;
  }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
  get textContent() { return this.childNodes.map((node) => node.textContent).join(""); }
  set textContent(text) { this.replaceChildren(new FakeText(text)); }
}

class FakeText extends FakeNode {
  nodeType = 3;
  nodeName = "#text";
  constructor(text) {
    super();
    this.nodeValue = text;
  }
  get textContent() { return this.nodeValue; }
  cloneNode() { return new FakeText(this.nodeValue); }
}

class FakeElement extends FakeNode {
  nodeType = 1;
  #fields = new Map();
  constructor(tag) {
    super();
    this.tagName = this.nodeName = tag.toUpperCase();
  }
  get id() { return this.getAttribute("id") ?? ""; }
  get ownerDocument() { return { activeElement: null }; }
  get attributes() { return [...this.#fields].map(([name, value]) => ({ name, value })); }
  get className() { return this.getAttribute("class") ?? ""; }
  get classList() { return (this.getAttribute("class") ?? "").split(" ").filter(Boolean); }
  getAttribute(name) { return this.#fields.get(name) ?? null; }
  getAttributeNames() { return [...this.#fields.keys()]; }
  hasAttribute(name) { return this.#fields.has(name); }
  setAttribute(name, value) { this.#fields.set(name, String(value)); }
  removeAttribute(name) { this.#fields.delete(name); }
  matches(selector) {
    return selector.split(",").some((one) => one === "*" || [...one.matchAll(/#([\w-]+)|\[([\w-]+)(?:(~?)="([^"]*)")?\]|^(\w+)/g)]
      .every(([, id, name, word, value, tag]) => (id ? this.id === id : tag ? this.tagName === tag.toUpperCase()
        : value === undefined ? this.hasAttribute(name) : word ? (this.getAttribute(name) ?? "").split(" ").includes(value) : this.getAttribute(name) === value)));
  }
  closest(selector) {
    for (let node = this; node?.nodeType === 1; node = node.parentNode) if (node.matches(selector)) return node;
    return null;
  }
  dispatchEvent() { return true; }
  cloneNode(deep) {
    const copy = new FakeElement(this.tagName);
    for (const { name, value } of this.attributes) copy.setAttribute(name, value);
    if (deep) copy.append(...this.childNodes.map((node) => node.cloneNode(true)));
    return copy;
  }
}

/** @param {string} html well-formed, without entities */
export function parse(html) {
  const fragment = Object.assign(new FakeNode(), { nodeType: 11 });
  let at = fragment;
  for (const [, close, open, fields, text] of html.matchAll(/<\/(\w+)>|<(\w+)([^>]*)>|([^<]+)/g)) {
    if (close) at = at.parentNode;
    else if (text) at.append(new FakeText(text));
    else {
      const el = new FakeElement(open);
      for (const [, name, value = ""] of fields.matchAll(/([\w-]+)(?:="([^"]*)")?/g)) el.setAttribute(name, value);
      at.append(el);
      at = el;
    }
  }
  return fragment;
}

export function createDocument(html) {
  const doc = Object.assign(new FakeNode(), {
    nodeType: 9,
    addEventListener() {},
    removeEventListener() {},
    getElementById: (id) => doc.querySelector(`[id="${id}"]`),
  });
  const body = new FakeElement("body");
  body.append(parse(html));
  doc.append(body);
  doc.documentElement = doc.body = body;
  return doc;
}

globalThis.CSS ??= { escape: (text) => text };
globalThis.CustomEvent ??= class {};
