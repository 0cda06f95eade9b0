// Which tab leads: the one that holds a Web Lock. The others wait for it, in the order in which they came.

/**
 * @typedef {object} Election
 * @property {() => void} stand  wait for the lock
 * @property {() => void} steal  take it from a tab that does not answer
 * @property {() => void} withdraw  let go of it, or wait no longer
 *
 * @param {object} options
 * @param {LockManager} options.locks
 * @param {string} options.name
 * @param {() => void} options.won
 * @param {() => void} options.lost  another tab has stolen it; it is waited for again
 * @param {(error: any) => void} options.failed  the browser gives no locks here
 * @returns {Election}
 */
export function createElection({ locks, name, won, lost, failed }) {
  let round = 0;
  let letGo = () => {};

  /** @param {(signal: AbortSignal) => LockOptions} options */
  function ask(options) {
    withdraw();
    const mine = (round += 1);
    const abort = new AbortController();
    letGo = () => abort.abort();
    const held = () =>
      mine === round &&
      new Promise((done) => {
        letGo = () => done(0);
        won();
      });
    locks.request(name, options(abort.signal), held).catch((error) => {
      if (mine !== round) return;
      if (error.name !== "AbortError") return failed(error);
      lost();
      stand();
    });
  }

  const stand = () => ask((signal) => ({ signal }));

  function withdraw() {
    round += 1;
    letGo();
  }

  return { stand, withdraw, steal: () => ask(() => ({ steal: true })) };
}
