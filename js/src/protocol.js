// Every name that goes over the wire, once. `htmx_rt/protocol.py` holds the same; a test keeps them equal.

export const VERSION = 1;
export const PREFIX = "/_rt";

// Events of a stream.
export const HELLO = "rt:hello";
export const OPS = "rt:ops";
export const CALL = "rt:call";
export const VIEW = "rt:view";
export const SIGNAL = "rt:signal";
export const RESYNC = "rt:resync";
export const REVOKED = "rt:revoked";
export const BYE = "rt:bye";
export const STOP = "rt:stop";
export const ANSWER = "rt:answer"; // on a WebSocket: what became of the opening, where it was refused, or of a call
export const EVENTS = [HELLO, OPS, CALL, VIEW, SIGNAL, RESYNC, REVOKED, BYE, STOP, ANSWER];

// The WebSocket's subprotocol, and the code it is closed with, by problem or by why it stopped; 45xx are final.
export const SUBPROTOCOL = "htmx-rt.1";
export const CLOSES = {
  "too-large": 1009,
  "bad-request": 1008,
  draining: 1012,
  limited: 1013,
  "bad-version": 4500,
  "signed-out": 4501,
  "no-cookie": 4502,
  forbidden: 4503,
  "user-changed": 4504,
  "too-many": 4505,
};

// Operations on HTML. The inserting ones place an element by its id.
export const INSERTS = ["append", "prepend", "before", "after"];
export const VERBS = [...INSERTS, "replace", "update", "text", "remove", "reset"];
export const VERBS_WITHOUT_HTML = ["remove"];

// An event of the kit's own: an entity was created, updated or deleted.
export const ENTITY = "rt:entity";

export const CALLS = ["toast", "redirect", "event", "refresh", "saved", "gone", "lease", "work", "notes", "progress"];
// How two people may meet in one record, each with what the one before has.
export const PRESETS = ["detect", "merge", "live", "lock", "owner"];
// What a page may do with a lease.
export const LEASE_ACTS = ["take", "release", "ask", "give", "keep", "here"];
export const TOAST_LEVELS = ["info", "success", "warning", "error"];

// Why a topic must be fetched again.
export const RESYNC_REASONS = ["epoch", "trimmed", "ahead", "limit", "grant", "failed"];
// Why a stream ended for good.
export const STOP_REASONS = ["signed-out", "user-changed", "too-many"];

// Headers of requests and responses.
export const TAB = "RT-Tab";
export const AT = "RT-At";
export const OWN = "RT-Own";
export const TOAST = "RT-Toast";
export const PROBLEM = "RT-Problem";
export const ACTION = "Idempotency-Key";
export const REPLAYED = "Idempotency-Replayed";
export const QUEUED = "RT-Queued";
export const LOCK_VERSION = "RT-Lock-Version";
export const FENCE = "RT-Fence";
export const DRAFT = "RT-Draft";
export const DRAFT_REV = "RT-Draft-Rev";
export const VALIDATE = "RT-Validate"; // names of the fields that are to be checked, and nothing else done
export const REGION = "RT-Region"; // a region that fetches itself
export const BUILD = "RT-Build"; // of the app that answered, and since when it has been running
export const UPLOAD_OFFSET = "Upload-Offset"; // bytes of a file that are here already; as of tus 1.0
export const UPLOAD_LENGTH = "Upload-Length";
export const TAKEN = "RT-Taken"; // ids of the files of a form that were handed over
export const HEADERS = [TAB, AT, OWN, TOAST, PROBLEM, ACTION, REPLAYED, QUEUED, LOCK_VERSION, FENCE, DRAFT, DRAFT_REV, VALIDATE, REGION, BUILD];

// Fields of a guarded form.
export const VERSION_FIELD = "lock_version";
export const BASE_FIELD = "rt-base"; // and "rt-base.<field>": an older one, for a field not decided yet
export const FENCE_FIELD = "rt-fence";
export const FIELDS_FIELD = "rt-fields"; // that the form shows: of those, what is not sent is empty
export const TAKE_FIELD = "rt-take-"; // "mine", "theirs" or "merged"
export const MINE_FIELD = "rt-mine-";
// And of one with files: "rt-upload.<field>", what may be sent, and a handle for each file that was.
export const UPLOAD_FIELD = "rt-upload.";

export const PROBLEMS = [
  "bad-request",
  "bad-version",
  "signed-out",
  "no-cookie",
  "user-changed",
  "forbidden",
  "too-large",
  "limited",
  "draining",
  "stale",
  "version-required",
  "fenced",
  "locked",
  "gone",
  "validation",
  "draft-newer",
  "already-done",
  "running",
  "unknown-outcome",
  "key-mismatch",
];

// Capabilities a grant may carry: read, presence, signal, lease.
export const CAPABILITIES = "rpsl";

// `<html data-rt="…">`.
export const STATES = ["connecting", "connected", "moving", "disconnected", "offline", "refused"];

// Attributes that macros write or pages carry.
export const ATTRIBUTES = [
  "rt-stream",
  "rt-grant",
  "rt-at",
  "rt-src",
  "rt-load",
  "rt-every",
  "rt-stale",
  "rt-on",
  "rt-version",
  "rt-sort",
  "rt-limit",
  "rt-enter",
  "rt-leave",
  "rt-keep",
  "rt-requires-connection",
  "rt-optimistic",
  "rt-queue",
  "rt-disable-with",
  "rt-loading-for",
  "rt-confirm-first",
  "rt-timeout",
  "rt-move",
  "rt-handle",
  "rt-undo",
  "rt-view",
  "rt-here",
  "rt-typing",
  "rt-typing-line",
  "rt-cursors",
  "rt-private",
  "rt-idle-after",
  "rt-edit",
  "rt-save",
  "rt-release",
  "rt-ask",
  "rt-draft",
  "rt-recover",
  "rt-unsaved",
  "rt-url",
  "rt-place",
  "rt-more",
  "rt-new",
  "rt-badge",
  "rt-flash",
  "rt-progress",
  "rt-bell",
  "rt-validate",
  "rt-field-error",
];
