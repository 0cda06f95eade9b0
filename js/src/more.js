// What a page does not need in its first moments: the core imports this file right after it has started, keeps
// what these would have heard, and hands it on. Each may move to the core and back (see index.js).
import { request } from "./bridge/request.js";
import { calls } from "./calls.js";
import { announce } from "./features/announce.js";
import { banner } from "./features/banner.js";
import { byneed } from "./features/byneed.js";
import { failures } from "./features/failures.js";
import { latency } from "./features/latency.js";
import { lines } from "./features/lines.js";
import { pending } from "./features/pending.js";
import { theme } from "./features/theme.js";
import { toasts } from "./features/toasts.js";
import { whose } from "./features/whose.js";
import { motion } from "./motion.js";
import { resync } from "./resync.js";

export const features = [
  lines, request, calls, motion, resync, theme, announce, toasts, banner, latency, pending, failures, whose, byneed,
];
