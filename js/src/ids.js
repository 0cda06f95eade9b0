// Numbers nobody else draws, on plain http too, where `crypto.randomUUID` is missing.

/** 128 random bits as 32 hex digits. */
export const randomHex = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A UUID of version 4. */
export const randomUUID = () => randomHex().replace(/^(.{8})(.{4}).(.{3}).(.{3})/, "$1-$2-4$3-8$4-");
