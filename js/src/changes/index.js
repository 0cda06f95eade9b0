// `htmx-rt-changes.mjs`: badges, and what others have changed.
import { badges } from "./badges.js";
import { flash } from "./flash.js";

export const features = [badges, flash];
