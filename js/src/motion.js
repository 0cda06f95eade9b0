// `rt-enter` and `rt-leave`: a class for one transition of at most 200 ms, never in the way of what follows.

const MOST_MS = 200;

const unseen = () => document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches;

/** @param {Element} el @param {() => void} then */
const afterTransition = (el, then) => {
  const timer = setTimeout(() => end(), MOST_MS);
  const end = (/** @type {Event} */ event = new Event("end")) => {
    if (event.target && event.target !== el) return;
    clearTimeout(timer);
    el.removeEventListener("transitionend", end);
    then();
  };
  el.addEventListener("transitionend", end);
};

/** @type {import("./index.js").Feature} */
export const motion = {
  name: "motion",
  mount({ apply }) {
    const still = { ...apply.motion };
    Object.assign(apply.motion, { enter, leave });
    return () => void Object.assign(apply.motion, still);
  },
};

/** @param {Element} el a new row */
function enter(el) {
  const name = el.getAttribute("rt-enter");
  if (!name || unseen()) return;
  el.classList.add(name);
  requestAnimationFrame(() => requestAnimationFrame(() => el.classList.remove(name)));
}

/** Takes `el` away. What the transition shows is a copy without ids: nothing finds it, and `el` itself is free.
 * @param {Element} el */
function leave(el) {
  const name = el.getAttribute("rt-leave");
  if (!name || !el.isConnected || unseen()) return el.remove();
  const ghost = /** @type {Element} */ (el.cloneNode(true));
  for (const part of [ghost, ...ghost.querySelectorAll("[id],[rt-version],[name]")]) {
    for (const attribute of ["id", "rt-version", "name"]) part.removeAttribute(attribute);
  }
  for (const attribute of ["rt-leaving", "inert"]) ghost.setAttribute(attribute, "");
  el.replaceWith(ghost);
  requestAnimationFrame(() => ghost.classList.add(name));
  afterTransition(ghost, () => ghost.remove());
}
