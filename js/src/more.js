// What a page does not need in its first moments. The core imports this file right after it has started; each
// of these may be moved to the core's list in index.js and back without any other change.
import { requires } from "./features/requires.js";
import { theme } from "./features/theme.js";
import { resync } from "./resync.js";

export const more = [resync, requires, theme];
