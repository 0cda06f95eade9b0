// What is known of a file before a byte of it is sent. Pure.

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];

/** As an `accept` attribute is read, and kindlier: what a system calls a type differs. @param {string} accept @param {{name: string, type: string}} file */
export function fits(accept, { name, type }) {
  const lower = name.toLowerCase();
  return !accept || accept.split(",").some((part) =>
    part[0] === "." ? lower.endsWith(part)
      : !type || (part.endsWith("/*") ? type.startsWith(part.slice(0, -1)) : type === part || lower.endsWith(`.${part.split("/")[1]}`)));
}

/** @param {number} bytes @param {string} [lang] */
export function sized(bytes, lang) {
  const step = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return new Intl.NumberFormat(lang || undefined, { style: "unit", unit: UNITS[step], unitDisplay: step ? "short" : "long", maximumFractionDigits: step > 1 ? 1 : 0 })
    .format(bytes / 1000 ** step);
}

/** By which the same file is known again after a reload. @param {string} who @param {string} field @param {File} file */
export const keyOf = (who, field, { name, size, lastModified }) => [who, field, name, size, lastModified].join("|");

/** Whole percents, and 100 only when all is there. @param {{sent: number, file: {size: number}}[]} items */
export function percentOf(items) {
  const all = items.reduce((sum, { file }) => sum + file.size, 0);
  return all ? Math.floor((100 * items.reduce((sum, { sent }) => sum + sent, 0)) / all) : 100;
}
