// `htmx-rt-place.mjs`: what a page shows stays in its address, and where one was in it stays where it was.
import { address } from "./address.js";
import { spots } from "./spots.js";

// Tabs are chosen by the address before anything is scrolled.
export const features = [address, spots];
