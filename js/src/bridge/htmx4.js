// htmx 4: an extension. Each part of an answer is a task with its target and style.

/** @param {any} htmx @param {import("./index.js").Core} core */
export function adapt(htmx, core) {
  /** @type {WeakMap<object, any>} what is known of a task when it is inserted */
  const tasks = new WeakMap();

  const outcomeOf = (/** @type {any} */ ctx) => {
    const { signal } = ctx.request;
    if (signal?.aborted) return signal.reason === "timeout" ? "timeout" : "abort";
    if (ctx.response) return ctx.response.status < 400 ? "ok" : "status";
    return String(ctx.status).startsWith("error") ? "network" : "cancel";
  };

  const extension = {
    htmx_config_request(/** @type {Element} */ elt, /** @type {any} */ { ctx: { request } }) {
      core.configure(request.headers, request.method, request.action, elt, request.body);
    },

    htmx_before_request(/** @type {Element} */ elt, /** @type {any} */ { ctx }) {
      ctx.rt = core.asked(elt, ctx.request.method, ctx);
      return !ctx.rt.cancelled;
    },

    htmx_after_request(/** @type {Element} */ _elt, /** @type {any} */ { ctx }) {
      const request = ctx.rt;
      if (!request) return;
      const swap = core.answered(request, ctx.response.status, (/** @type {string} */ name) => ctx.response.headers.get(name));
      if (swap === false) ctx.swap = "none";
      if (!(ctx.target instanceof Element) || ctx.target.isConnected) return;
      // htmx would drop the whole answer, parts for other places too.
      const now = core.resolved(ctx.target);
      ctx.target = now ?? document.body;
      if (!now) ctx.swap = "none";
    },

    htmx_before_swap(/** @type {Element} */ _elt, /** @type {any} */ detail) {
      const { ctx, tasks: list } = detail;
      const request = ctx.rt;
      core.hooks().coming(detail);
      for (const task of list.slice()) {
        if (!(task.target instanceof Element)) continue;
        task.target = core.resolved(task.target) ?? task.target;
        const effect = core.effectOf(task.swapSpec.style ?? task.swapSpec);
        if (task.type === "main" && request && !core.hooks().admit(request, task.target, effect)) {
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
        settleTasks.unshift(core.hooks().coming);
        settleTasks.push(() => core.settling(-1));
      }
      const nodes = core.elementsOf(newContent).filter((/** @type {Element} */ node) => node.isConnected);
      core.inserted(effect, target, nodes, request, captured);
    },

    htmx_before_morph_node(/** @type {Element} */ _elt, /** @type {any} */ { oldNode, newNode }) {
      return oldNode.nodeType !== 1 || core.hooks().morph(oldNode, newNode);
    },

    htmx_finally_request(/** @type {Element} */ _elt, /** @type {any} */ { ctx }) {
      if (ctx.rt) core.end(ctx.rt, outcomeOf(ctx));
    },
  };

  if (htmx.registerExtension("rt", extension) === false) {
    console.error('htmx-rt: refused. Add "rt" to htmx.config.extensions.');
  }
  return {
    process: (/** @type {Element} */ el, anew = false) => htmx.process(el, anew),
    stop() {},
  };
}
