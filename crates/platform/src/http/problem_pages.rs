//! The problems that the platform itself answers with, as text for `docs/problems/`.

/// What the page of one problem says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemPage {
    /// The code: the last part of the problem's `type`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened.
    pub happened: &'static str,
    /// What the client can do about it.
    pub remedy: &'static str,
}

const fn page(
    status: u16,
    code: &'static str,
    happened: &'static str,
    remedy: &'static str,
) -> ProblemPage {
    ProblemPage { code, status, happened, remedy }
}

/// All of them, by status and code. A test holds them against the code.
pub const PAGES: &[ProblemPage] = &[
    page(
        400,
        "idempotency-key-invalid",
        "The `Idempotency-Key` is empty, longer than 255 characters, has characters other than visible ASCII, or is given twice.",
        "Send one key; a UUID will do.",
    ),
    page(
        400,
        "idempotency-key-missing",
        "The operation makes or moves something of value, and came without an `Idempotency-Key`.",
        "Make up a key for each thing that you want done once, and send the same key when you repeat the request.",
    ),
    page(
        400,
        "malformed",
        "The request cannot be read in exactly one way: broken JSON, a repeated key or query parameter, a NUL character, a number out of every range, a body that breaks off.",
        "Mend the request; `line` and `column` say where reading the JSON stopped. Repeating it as it is will not help.",
    ),
    page(
        401,
        "token-invalid",
        "The bearer token is not one of ours, or not any longer.",
        "Check that the whole token was sent as `Authorization: Bearer <token>`; get a new one if it was.",
    ),
    page(
        401,
        "unauthenticated",
        "The operation is for staff, and the request says nothing about who asks.",
        "Send `Authorization: Bearer kst_...`.",
    ),
    page(
        403,
        "forbidden",
        "The token is good, and its holder may not do this.",
        "Ask somebody with another role.",
    ),
    page(
        404,
        "not-found",
        "There is nothing under this address, or nothing that you may see: the two are not told apart.",
        "Check the address, and that the token belongs to the thing asked for.",
    ),
    page(
        405,
        "method-not-allowed",
        "The address exists and does not take this method.",
        "Use one of the methods in the `Allow` header.",
    ),
    page(
        408,
        "request-timeout",
        "The body came in too slowly.",
        "Try again over a better connection.",
    ),
    page(
        413,
        "payload-too-large",
        "The body is larger than the operation takes. A compressed body counts with its size after decompression.",
        "Send less, or in several requests.",
    ),
    page(414, "uri-too-long", "The path and query together are too long.", "Ask for less at once."),
    page(
        415,
        "unsupported-media-type",
        "The body has a type or an encoding that the operation does not take.",
        "Send `Content-Type: application/json`, in UTF-8, plain or with `Content-Encoding: gzip`.",
    ),
    page(
        422,
        "unknown-field",
        "The request has a field that the operation does not take. `errors` names it, and what would be taken.",
        "Leave the field out. Prices, states and owners are never taken from a request.",
    ),
    page(
        422,
        "validation-failed",
        "The request can be read, and some of its values cannot be accepted. `errors` names each with a JSON pointer.",
        "Correct the values named.",
    ),
    page(
        429,
        "rate-limited",
        "More requests that change something came from where this one comes from (an address, or a network of 64 bits of IPv6) than one client may send. Nothing was done. Reading is not limited.",
        "Wait as long as `Retry-After` says, in seconds, then repeat the request with the same `Idempotency-Key`. If many people share your address, ask the shop.",
    ),
    page(
        431,
        "headers-too-large",
        "The headers together are too long.",
        "Send fewer or shorter headers; often it is a pile of cookies.",
    ),
    page(
        500,
        "internal",
        "Something failed on our side. It has been logged.",
        "Try again with the same `Idempotency-Key`; if it stays, tell the shop the `trace_id`.",
    ),
    page(
        502,
        "answer-lost",
        "The connection to the service that carries this out broke before its answer came. The request may or may not have been done.",
        "Repeat it with the same `Idempotency-Key`: it will not be done twice. Without one, ask first how things stand.",
    ),
    page(
        503,
        "deadline-exceeded",
        "The request took too long. It may or may not have been done.",
        "Repeat it with the same `Idempotency-Key`: it will not be done twice.",
    ),
    page(
        503,
        "overloaded",
        "More requests came in than can be worked on.",
        "Wait as long as `Retry-After` says, then repeat the request.",
    ),
    page(
        503,
        "unavailable",
        "Something that this operation needs is out of order for the moment.",
        "Wait as long as `Retry-After` says, then repeat the request.",
    ),
    page(
        504,
        "answer-late",
        "The service that carries this out did not answer in time. The request may or may not have been done, or may still be under way.",
        "Repeat it with the same `Idempotency-Key`: it will not be done twice. Without one, ask first how things stand.",
    ),
];
