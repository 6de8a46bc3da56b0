//! The envelope around every event: CloudEvents 1.0 attributes and our extensions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{PartialSchema, ToSchema};

use crate::events::{Payload, Source};
use crate::{EventId, Timestamp};

/// An event as it is stored and sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Unique, and the same on every delivery.
    pub id: EventId,
    /// The aggregate it is about: an order's id, a sku.
    pub subject: String,
    /// The position of this event in its aggregate's history; an older version never overwrites a
    /// newer one.
    pub version: i64,
    /// When it happened, by the publisher's clock.
    pub time: Timestamp,
    /// The event that led to this one, if one did.
    pub causation: Option<EventId>,
    /// What all events of one story share: the order's id, mostly.
    pub correlation: String,
    /// The trace it belongs to.
    pub trace: Option<TraceParent>,
    /// On whose behalf.
    pub actor: Actor,
    /// What happened.
    pub payload: Payload,
}

/// Why the text of an event could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// This version does not know the type. Not an error for a consumer: it is counted and passed over.
    #[error("unknown event type {0}")]
    UnknownType(String),
    /// The type is known and the text does not fit it.
    #[error("malformed {kind}")]
    Malformed {
        /// The type it claims.
        kind: &'static str,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
    /// It says that it is of another type than the one it was sent as.
    #[error("sent as {sent_as}, and says that it is {says}")]
    Disguised {
        /// The type by which it was let through.
        sent_as: String,
        /// The type it claims.
        says: &'static str,
    },
    /// It is not an event at all.
    #[error("not a CloudEvents envelope")]
    NotAnEnvelope(#[source] serde_json::Error),
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
struct Written<'a> {
    specversion: &'static str,
    id: EventId,
    source: Source,
    r#type: &'static str,
    subject: &'a str,
    version: i64,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<EventId>,
    correlation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<TraceParent>,
    actor: &'a Actor,
    datacontenttype: &'static str,
    data: &'a Payload,
}

#[derive(Deserialize)]
struct Read<'a> {
    id: EventId,
    r#type: String,
    subject: String,
    version: i64,
    time: Timestamp,
    #[serde(default)]
    causation: Option<EventId>,
    correlation: String,
    #[serde(default)]
    traceparent: Option<TraceParent>,
    actor: Actor,
    #[serde(borrow)]
    data: &'a serde_json::value::RawValue,
}

impl Envelope {
    /// The event as JSON, structured mode.
    pub fn to_json(&self) -> String {
        let written = Written {
            specversion: "1.0",
            id: self.id,
            source: self.payload.kind().source,
            r#type: self.payload.kind().name,
            subject: &self.subject,
            version: self.version,
            time: self.time,
            causation: self.causation,
            correlation: &self.correlation,
            traceparent: self.trace,
            actor: &self.actor,
            datacontenttype: "application/json",
            data: &self.payload,
        };
        // A tree of structs, strings and integers always has a JSON text.
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// Reads an event.
    ///
    /// # Errors
    /// [`DecodeError`]: an unknown type is told apart from a known type that does not read.
    pub fn from_json(json: &str) -> Result<Self, DecodeError> {
        let read: Read<'_> = serde_json::from_str(json).map_err(DecodeError::NotAnEnvelope)?;
        Ok(Self {
            id: read.id,
            payload: Payload::decode(&read.r#type, read.data.get())?,
            subject: read.subject,
            version: read.version,
            time: read.time,
            causation: read.causation,
            correlation: read.correlation,
            trace: read.traceparent,
            actor: read.actor,
        })
    }

    /// Reads an event that was stored or sent as one of type `kind`. Who may say it goes by that, so it
    /// has to be what it says.
    ///
    /// # Errors
    /// Those of [`Self::from_json`], and [`DecodeError::Disguised`].
    pub fn from_json_of(kind: &str, json: &str) -> Result<Self, DecodeError> {
        let event = Self::from_json(json)?;
        match event.payload.kind().name {
            name if name == kind => Ok(event),
            says => Err(DecodeError::Disguised { sent_as: kind.to_owned(), says }),
        }
    }
}

/// Who did it: a customer, a named member of staff, whoever runs the shop, or a service by itself.
///
/// Written `customer`, `staff:anna`, `operator`, `service:warehouse`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The shopper.
    Customer,
    /// A member of staff, by name.
    Staff(String),
    /// Whoever runs commands on the shop's own machine: nobody told it a name.
    Operator,
    /// A service, of its own accord.
    Service(Source),
    /// Somebody a newer version knows of, as it is written.
    Other(String),
}

impl PartialSchema for Actor {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .examples(["customer", "staff:anna", "operator"].map(serde_json::Value::from))
            .into()
    }
}
impl ToSchema for Actor {
    fn name() -> std::borrow::Cow<'static, str> {
        "Actor".into()
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer => f.write_str("customer"),
            Self::Staff(name) => write!(f, "staff:{name}"),
            Self::Operator => f.write_str("operator"),
            Self::Service(source) => write!(f, "service:{source}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}
impl FromStr for Actor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "customer" => Ok(Self::Customer),
            None if text == "operator" => Ok(Self::Operator),
            Some(("staff", name)) => Ok(Self::Staff(name.to_owned())),
            Some(("service", name)) => name.parse().map(Self::Service),
            _ => Err(format!("{text:?} is not an actor")),
        }
    }
}
impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        // Who did it is for people to read: a name of the future stops no event.
        Ok(text.parse().unwrap_or_else(|_| Self::Other(text.into_owned())))
    }
}

/// A W3C trace context `traceparent`, version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: u128,
    /// The span that caused what carries this.
    pub span_id: u64,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}
impl FromStr for TraceParent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "a traceparent is written 00-<32 hex>-<16 hex>-<2 hex>";
        let parts: Vec<&str> = text.split('-').collect();
        let ["00", trace, span, flags] = parts.as_slice() else { return Err(WRONG) };
        // Digits are told by hand: the parsers below would let a sign and capitals pass.
        let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if trace.len() != 32
            || span.len() != 16
            || flags.len() != 2
            || !parts.iter().all(|p| hex(p))
        {
            return Err(WRONG);
        }
        let parsed = Self {
            trace_id: u128::from_str_radix(trace, 16).map_err(|_| WRONG)?,
            span_id: u64::from_str_radix(span, 16).map_err(|_| WRONG)?,
            sampled: u8::from_str_radix(flags, 16).map_err(|_| WRONG)? & 1 == 1,
        };
        if parsed.trace_id == 0 || parsed.span_id == 0 { Err(WRONG) } else { Ok(parsed) }
    }
}
impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for TraceParent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
