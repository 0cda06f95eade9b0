// Plays an element's `rt-leaving` animation, if the page's CSS has one.

/**
 * @param {HTMLElement} element
 * @returns {Promise<boolean>} false when the class was taken off meanwhile: the element is to stay
 */
export async function leave(element) {
  element.classList.add("rt-leaving");
  const running = element.getAnimations().filter((animation) => "animationName" in animation);
  await Promise.all(running.map((animation) => animation.finished.catch(() => {})));
  return element.classList.contains("rt-leaving") && (element.classList.remove("rt-leaving"), true);
}
