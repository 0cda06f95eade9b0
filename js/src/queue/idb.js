// As much of IndexedDB as a list of entries needs, as promises. One database a site's kit, by its name.

const STORE = "queue";

/**
 * @template T
 * @typedef {object} Store
 * @property {() => Promise<T[]>} all  by `seq`
 * @property {(entry: T) => Promise<number>} put  gives a new one its `seq`
 * @property {(seq: number, fn: (entry: T) => T | null) => Promise<T | null>} change  in one transaction; null removes, and says that it was gone
 * @property {() => void} close
 */

/** @param {IDBFactory} factory @param {string} name @returns {Store<any>} */
export function openStore(factory, name) {
  /** @type {Promise<IDBDatabase> | null} */
  let opening = null;

  function database() {
    opening ??= new Promise((resolve, reject) => {
      const request = factory.open(`rt-${name}`, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "seq", autoIncrement: true });
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const db = request.result;
        db.onversionchange = db.onclose = close; // a newer page, or the person clearing data: opened anew when needed
        resolve(db);
      };
    });
    opening.catch(() => (opening = null));
    return opening;
  }

  function close() {
    opening?.then((db) => db.close(), () => {});
    opening = null;
  }

  /** Resolves once it is on the disk. @param {IDBTransactionMode} mode @param {(store: IDBObjectStore, done: (value: any) => void) => void} work */
  async function run(mode, work) {
    const transaction = (await database()).transaction(STORE, mode, { durability: "strict" });
    return new Promise((resolve, reject) => {
      /** @type {any} */
      let value = null;
      transaction.oncomplete = () => resolve(value);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
      work(transaction.objectStore(STORE), (given) => (value = given));
    });
  }

  /** @param {IDBRequest} request @param {(value: any) => void} fn */
  const then = (request, fn) => (request.onsuccess = () => fn(request.result));

  return {
    all: () => run("readonly", (store, done) => then(store.getAll(), done)),
    put: (entry) => run("readwrite", (store, done) => then(store.put(entry), done)),
    change: (seq, fn) =>
      run("readwrite", (store, done) =>
        then(store.get(seq), (entry) => {
          if (!entry) return;
          const changed = fn(entry);
          if (changed) store.put(changed);
          else store.delete(seq);
          done(changed);
        })),
    close,
  };
}
