"""Every name that goes over the wire, once. `js/src/protocol.js` holds the same; a test keeps them equal."""

from __future__ import annotations

VERSION = 1
PREFIX = "/_rt"

# Events of a stream.
HELLO = "rt:hello"
OPS = "rt:ops"
CALL = "rt:call"
VIEW = "rt:view"
SIGNAL = "rt:signal"
RESYNC = "rt:resync"
REVOKED = "rt:revoked"
BYE = "rt:bye"
STOP = "rt:stop"
ANSWER = "rt:answer"  # on a WebSocket: what became of the opening, where it was refused, or of a call
EVENTS = (HELLO, OPS, CALL, VIEW, SIGNAL, RESYNC, REVOKED, BYE, STOP, ANSWER)

# The WebSocket's subprotocol, and the code it is closed with, by problem or by why it stopped; 45xx are final.
SUBPROTOCOL = "htmx-rt.1"
CLOSES = {
    "too-large": 1009,
    "bad-request": 1008,
    "draining": 1012,
    "limited": 1013,
    "bad-version": 4500,
    "signed-out": 4501,
    "no-cookie": 4502,
    "forbidden": 4503,
    "user-changed": 4504,
    "too-many": 4505,
}

# Operations on HTML. The inserting ones place an element by its id.
INSERTS = ("append", "prepend", "before", "after")
VERBS = (*INSERTS, "replace", "update", "text", "remove", "reset")
VERBS_WITHOUT_HTML = ("remove",)

# An event of the kit's own: an entity was created, updated or deleted.
ENTITY = "rt:entity"

CALLS = ("toast", "redirect", "event", "refresh", "saved", "gone", "lease", "work", "notes", "progress")
# How two people may meet in one record, each with what the one before has.
PRESETS = ("detect", "merge", "live", "lock", "owner")
# What a page may do with a lease.
LEASE_ACTS = ("take", "release", "ask", "give", "keep", "here")
TOAST_LEVELS = ("info", "success", "warning", "error")

# Why a topic must be fetched again.
RESYNC_REASONS = ("epoch", "trimmed", "ahead", "limit", "grant", "failed")
# Why a stream ended for good.
STOP_REASONS = ("signed-out", "user-changed", "too-many")

# Headers of requests and responses.
TAB = "RT-Tab"
AT = "RT-At"
OWN = "RT-Own"
TOAST = "RT-Toast"
PROBLEM = "RT-Problem"
ACTION = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
QUEUED = "RT-Queued"
LOCK_VERSION = "RT-Lock-Version"
FENCE = "RT-Fence"
DRAFT = "RT-Draft"
DRAFT_REV = "RT-Draft-Rev"
VALIDATE = "RT-Validate"  # names of the fields that are to be checked, and nothing else done
REGION = "RT-Region"  # a region that fetches itself
BUILD = "RT-Build"  # of the app that answered, and since when it has been running
UPLOAD_OFFSET = "Upload-Offset"  # bytes of a file that are here already; as of tus 1.0
UPLOAD_LENGTH = "Upload-Length"
TAKEN = "RT-Taken"  # ids of the files of a form that were handed over
HEADERS = (
    TAB,
    AT,
    OWN,
    TOAST,
    PROBLEM,
    ACTION,
    REPLAYED,
    QUEUED,
    LOCK_VERSION,
    FENCE,
    DRAFT,
    DRAFT_REV,
    VALIDATE,
    REGION,
    BUILD,
)

# Fields of a guarded form.
VERSION_FIELD = "lock_version"
BASE_FIELD = "rt-base"  # and "rt-base.<field>": an older one, for a field not decided yet
FENCE_FIELD = "rt-fence"
FIELDS_FIELD = "rt-fields"  # that the form shows: of those, what is not sent is empty
TAKE_FIELD = "rt-take-"  # "mine", "theirs" or "merged"
MINE_FIELD = "rt-mine-"
# And of one with files: "rt-upload.<field>", what may be sent, and a handle for each file that was.
UPLOAD_FIELD = "rt-upload."

PROBLEMS = (
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
)

# Capabilities a grant may carry: read, presence, signal, lease.
CAPABILITIES = "rpsl"

# `<html data-rt="…">`.
STATES = ("connecting", "connected", "moving", "disconnected", "offline", "refused")

# Attributes that macros write or pages carry.
ATTRIBUTES = (
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
)
