// `htmx-rt-list.mjs`: long lists, a page at a time.
import { more } from "./more.js";

export const features = [more];
