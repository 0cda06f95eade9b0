// htmx 4: an extension. Each part of an answer is a task with its target and style.

/** @typedef {import("./index.js").Inserted} Inserted */

/** @param {any} htmx @param {import("./index.js").Core} core */
export function adapt(htmx, core) {
  /** @type {WeakMap<object, any>} */
  const requests = new WeakMap();
  /** @type {WeakMap<object, any>} what is known of a task when it is inserted */
  const tasks = new WeakMap();

  const outcomeOf = (/** @type {any} */ ctx) => {
    const { signal } = ctx.request;
    if (signal?.aborted) return signal.reason === "timeout" ? "timeout" : "abort";
    if (ctx.response) return ctx.response.status < 400 ? "ok" : "status";
    return String(ctx.status).startsWith("error") ? "network" : "cancel";
  };

  const extension = {
    htmx_config_request(/** @type {Element} */ _elt, /** @type {any} */ { ctx }) {
      core.configure(ctx.request.headers, ctx.request.method, ctx.request.action);
    },

    htmx_before_request(/** @type {Element} */ _elt, /** @type {any} */ { ctx }) {
      requests.set(ctx, core.request(ctx.sourceElement, ctx.request.method));
    },

    htmx_after_request(/** @type {Element} */ _elt, /** @type {any} */ { ctx }) {
      const request = requests.get(ctx);
      if (!request) return;
      const swap = core.answered(request, ctx.response.status, (/** @type {string} */ name) => ctx.response.headers.get(name));
      if (swap === false) ctx.swap = "none";
      if (!(ctx.target instanceof Element) || ctx.target.isConnected) return;
      // htmx would drop the whole answer, parts for other places too.
      const now = core.resolve(ctx.target);
      ctx.target = now ?? document.body;
      if (!now) ctx.swap = "none";
    },

    htmx_before_swap(/** @type {Element} */ _elt, /** @type {any} */ { ctx, tasks: list }) {
      const request = requests.get(ctx);
      core.hooks().coming();
      for (const task of list.slice()) {
        if (!(task.target instanceof Element)) continue;
        task.target = core.resolve(task.target) ?? task.target;
        const effect = core.effectOf(task.swapSpec.style ?? task.swapSpec);
        const replaces = effect === "inner" || effect === "outer";
        if (task.type === "main" && request && !core.hooks().admit(request, task.target, replaces)) {
          list.splice(list.indexOf(task), 1);
          continue;
        }
        tasks.set(task, { request, effect, target: task.target, captured: core.hooks().capture([task.target], request) });
      }
    },

    htmx_before_settle(/** @type {Element} */ _elt, /** @type {any} */ { task, newContent, settleTasks }) {
      const known = tasks.get(task);
      if (!known) return;
      const { effect, target, request, captured } = known;
      tasks.delete(task);
      if (settleTasks.length) {
        core.settling(1);
        settleTasks.push(() => core.settling(-1));
      }
      const nodes = core.elements(newContent).filter((/** @type {Element} */ node) => node.isConnected && node !== (effect === "inner" ? target : null));
      /** @type {Inserted} */
      const part = effect === "inner"
        ? { inner: target, nodes: [...target.children], inserted: null }
        : { inner: null, nodes, inserted: effect === "append" || effect === "prepend" ? effect : null };
      core.hooks().inserted(part, request, captured);
    },

    htmx_before_morph_node(/** @type {Element} */ _elt, /** @type {any} */ { oldNode, newNode }) {
      return oldNode.nodeType !== 1 || core.hooks().morph(oldNode, newNode);
    },

    htmx_finally_request(/** @type {Element} */ _elt, /** @type {any} */ { ctx }) {
      const request = requests.get(ctx);
      if (request) core.end(request, outcomeOf(ctx));
    },
  };

  if (htmx.registerExtension("rt", extension) === false) {
    console.error('htmx-rt: htmx.config.extensions does not name "rt", so htmx refuses this extension.');
  }
  return {
    process: (/** @type {Element} */ el, anew = false) => htmx.process(el, anew),
    stop() {},
  };
}
