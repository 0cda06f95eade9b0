// An answer that somebody puts on the page by themselves: htmx takes it for good, and swaps in none of it.

/** From `request:answered`. @param {any} request */
export function unswapped(request) {
  request.swap = true; // of a refused swap htmx 2 logs an error
  if (request.raw.requestConfig) request.raw.etc = { ...request.raw.etc, swapOverride: "none" };
  else request.raw.swap = "none";
}
