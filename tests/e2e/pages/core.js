// The bridge and the operations alone: a test plays the stream by hand with `kit.push`.

import { createApply } from "../../../js/src/apply.js";
import * as htmx2 from "../../../js/src/bridge/htmx2.js";
import * as htmx4 from "../../../js/src/bridge/htmx4.js";
import { createBridge } from "../../../js/src/bridge/index.js";
import { request } from "../../../js/src/bridge/request.js";
import { createEvents } from "../../../js/src/events.js";

const TOPIC = "board:7";
const events = createEvents();
let head = 0;
const cursor = () => `1~e~${head.toString(36)}`;
const { adapt } = htmx.version[0] === "4" ? htmx4 : htmx2;
const bridge = createBridge({ htmx, adapt, events, tab: { id: "0123456789abcdef0123456789abcdef" }, cursor });
const apply = createApply({ bridge, events, positions: new Map([[TOPIC, 0]]), cursor });
request.mount({ win: window, doc: document, events, bridge });
/** What the seams told, in order; `veto` names an event whose request is stopped there. */
const told = [];
const veto = new Set();
for (const name of ["request:config", "request:start", "request:answered", "coming", "swap", "settled", "request:end"]) {
  events.on(name, (detail) => {
    told.push({ name, detail });
    if (name === "request:start" && veto.has(name)) detail.request.cancelled = true;
    if (name === "request:answered" && veto.has(name)) detail.request.swap = false;
  });
}
const ended = [];
events.on("request:end", ({ outcome, status, problem }) => ended.push({ outcome, status: status ?? null, problem }));
const resyncs = [];
events.on("resync", ({ topics, why }) => resyncs.push({ topics, why }));
const violations = [];
document.addEventListener("securitypolicyviolation", ({ violatedDirective, sourceFile, sample }) =>
  violations.push({ violatedDirective, sourceFile, sample }));

window.kit = {
  apply, bridge, events, told, veto, ended, resyncs, violations, cursor,
  /** One message; resolves when its frame is on the page. */
  push(...ops) {
    return new Promise((resolve) => {
      const off = events.on("applied", () => resolve(off()));
      kit.send(...ops);
    });
  },
  /** One message, without waiting. */
  send(...ops) {
    apply.receive({ event: "rt:ops", data: { t: TOPIC, o: ++head, ops } });
  },
};
