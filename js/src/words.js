// Every word the extension shows. A page in another language overrides them one by one with
// `data-<name>` on the element that shows them (`data-reconnecting="…"` on the banner).

export const BANNER = {
  reconnecting: "Reconnecting…",
  offline: "You are offline",
  back: "Back online",
  moving: "Moving to another server…",
  long: "Your unsaved work is kept.",
  soon: "Trying again…",
  next: "Next try in {n} s.",
  signedOut: "You are signed out. Sign in again to go on; your unsaved work is kept.",
  userChanged: "Signed in as somebody else.",
  tooMany: "Live updates moved to your other tabs.",
  forbidden: "You can no longer see live updates here.",
  stopped: "Live updates have stopped.",
  stale: "Part of this page may be out of date.",
};

export const TOASTS = { dismiss: "Dismiss" };

export const REQUIRES = { why: "Not available until the connection is back." };
