//! The envelope: what it carries arrives, and what cannot be read is told apart.

use contracts::events::{OrderConfirmed, ProductWithdrawn};
use contracts::{
    Actor, DecodeError, Envelope, EventData, EventId, OrderId, Payload, ProductId, Source,
    Timestamp, TraceParent,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

fn confirmed() -> Envelope {
    let order_id = OrderId::from_uuid(Uuid::from_u128(7));
    Envelope {
        id: EventId::from_uuid(Uuid::from_u128(1)),
        subject: order_id.to_string(),
        version: 2,
        time: Timestamp::from_micros(1_795_348_800_000_001),
        causation: None,
        correlation: order_id.to_string(),
        trace: None,
        actor: Actor::Customer,
        payload: Payload::from(OrderConfirmed { order_id }),
    }
}

fn as_value(envelope: &Envelope) -> Value {
    serde_json::from_str(&envelope.to_json()).expect("an event is written as JSON")
}

#[test]
fn an_event_is_written_with_the_attributes_of_cloudevents() {
    let written = as_value(&confirmed());
    assert_eq!(
        written,
        json!({
            "specversion": "1.0",
            "id": "00000000-0000-0000-0000-000000000001",
            "source": "order",
            "type": "order.confirmed.v1",
            "subject": "00000000-0000-0000-0000-000000000007",
            "version": 2,
            "time": "2026-11-22T12:00:00.000001Z",
            "correlation": "00000000-0000-0000-0000-000000000007",
            "actor": "customer",
            "datacontenttype": "application/json",
            "data": { "order_id": "00000000-0000-0000-0000-000000000007" },
        })
    );
}

#[test]
fn an_event_says_what_led_to_it_and_to_which_trace_it_belongs() {
    let cause = EventId::from_uuid(Uuid::from_u128(9));
    let trace = TraceParent { trace_id: 0xabc, span_id: 0xdef, sampled: true };
    let envelope = Envelope { causation: Some(cause), trace: Some(trace), ..confirmed() };
    let written = as_value(&envelope);
    assert_eq!(written["causation"], "00000000-0000-0000-0000-000000000009");
    assert_eq!(written["traceparent"], "00-00000000000000000000000000000abc-0000000000000def-01");
    assert_eq!(Envelope::from_json(&envelope.to_json()).unwrap(), envelope);
}

#[test]
fn the_source_of_an_event_is_whoever_alone_says_it() {
    for kind in Payload::KINDS {
        let (subject, rest) = kind.name.split_once('.').unwrap();
        assert!(rest.ends_with(".v1"), "{}", kind.name);
        let expected = match subject {
            "product" => Source::Catalogue,
            "order" | "refund" => Source::Order,
            "stock" | "cancel" | "shipment" => Source::Warehouse,
            "payment" | "invoice" | "credit_note" => Source::Payment,
            "message" => Source::Notification,
            "customer" => Source::Customer,
            other => panic!("whose is {other}?"),
        };
        assert_eq!(kind.source, expected, "{}", kind.name);
    }
}

#[test]
fn no_two_events_share_a_type() {
    let mut names: Vec<_> = Payload::KINDS.iter().map(|kind| kind.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Payload::KINDS.len());
}

#[test]
fn a_type_nobody_here_knows_is_unknown_whatever_it_carries() {
    for data in [json!({}), json!(null), json!([1, 2]), json!("text")] {
        let mut written = as_value(&confirmed());
        written["type"] = json!("order.teleported.v1");
        written["data"] = data;
        let read = Envelope::from_json(&written.to_string());
        assert!(matches!(&read, Err(DecodeError::UnknownType(t)) if t == "order.teleported.v1"));
    }
}

#[test]
fn a_known_type_that_does_not_fit_is_malformed_and_not_unknown() {
    for data in [json!({}), json!({ "order_id": 7 }), json!({ "order_id": "x" }), json!(null)] {
        let mut written = as_value(&confirmed());
        written["data"] = data;
        let read = Envelope::from_json(&written.to_string());
        assert!(
            matches!(&read, Err(DecodeError::Malformed { kind: "order.confirmed.v1", .. })),
            "{read:?}"
        );
    }
}

#[test]
fn what_lacks_an_attribute_is_not_an_event() {
    for attribute in ["id", "type", "subject", "version", "time", "correlation", "actor", "data"] {
        let mut written = as_value(&confirmed());
        written.as_object_mut().unwrap().remove(attribute);
        let read = Envelope::from_json(&written.to_string());
        assert!(matches!(&read, Err(DecodeError::NotAnEnvelope(_))), "{attribute}: {read:?}");
    }
    for text in ["", "{", "[]", "null", "\u{0}", "{\"id\":1e309}"] {
        let read = Envelope::from_json(text);
        assert!(matches!(&read, Err(DecodeError::NotAnEnvelope(_))), "{text:?}: {read:?}");
    }
}

#[test]
fn an_event_is_of_the_type_it_was_sent_as() {
    let text = confirmed().to_json();
    assert_eq!(Envelope::from_json_of("order.confirmed.v1", &text).unwrap(), confirmed());
    let read = Envelope::from_json_of("stock.reserved.v1", &text);
    let Err(DecodeError::Disguised { sent_as, says }) = &read else { panic!("{read:?}") };
    assert_eq!((sent_as.as_str(), *says), ("stock.reserved.v1", "order.confirmed.v1"));
}

#[test]
fn a_field_added_by_a_newer_publisher_is_passed_over() {
    let mut written = as_value(&confirmed());
    written["tenant"] = json!("north");
    written["data"]["mood"] = json!("good");
    assert_eq!(Envelope::from_json(&written.to_string()).unwrap(), confirmed());
}

#[test]
fn an_error_tells_what_could_not_be_read_without_its_content() {
    let mut written = as_value(&confirmed());
    written["data"] = json!({ "order_id": "anna@lindqvist.example" });
    let error = Envelope::from_json(&written.to_string()).unwrap_err();
    assert_eq!(error.to_string(), "malformed order.confirmed.v1");
}

#[test]
fn a_payload_is_found_by_its_type_and_by_no_other() {
    let payload = confirmed().payload;
    assert!(OrderConfirmed::of(&payload).is_some());
    assert!(ProductWithdrawn::of(&payload).is_none());
    let withdrawn = ProductWithdrawn {
        product_id: ProductId::from_uuid(Uuid::from_u128(3)),
        version: 1,
        skus: vec![],
    };
    assert_eq!(Payload::from(withdrawn).kind(), ProductWithdrawn::KIND);
}

#[test]
fn an_actor_is_written_as_it_is_read() {
    let actors = [
        (Actor::Customer, "customer"),
        (Actor::Staff("anna".into()), "staff:anna"),
        (Actor::Operator, "operator"),
        (Actor::Staff("anna:night shift".into()), "staff:anna:night shift"),
        (Actor::Service(Source::Warehouse), "service:warehouse"),
    ];
    for (actor, text) in actors {
        assert_eq!(actor.to_string(), text);
        assert_eq!(text.parse(), Ok(actor.clone()));
        let json = serde_json::to_string(&actor).unwrap();
        assert_eq!(serde_json::from_str::<Actor>(&json).unwrap(), actor);
    }
}

#[test]
fn nobody_acts_under_a_name_that_is_not_one() {
    for text in ["", "Customer", "staff", "customer:", "service:", "service:search", "root:x"] {
        assert!(text.parse::<Actor>().is_err(), "{text:?}");
    }
}

#[test]
fn every_service_is_read_back_from_its_name() {
    for source in Source::ALL {
        assert_eq!(source.name().parse(), Ok(source));
        assert_eq!(serde_json::to_value(source).unwrap(), source.name());
    }
}

#[test]
fn a_traceparent_of_the_standard_is_read() {
    let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let read: TraceParent = text.parse().unwrap();
    assert_eq!(read.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    assert_eq!(read.span_id, 0x00f0_67aa_0ba9_02b7);
    assert!(read.sampled);
    assert_eq!(read.to_string(), text);
    // Of the flags only the lowest is ours; the others may be set by whoever knows them.
    assert!(!text.replace("-01", "-02").parse::<TraceParent>().unwrap().sampled);
    assert!(text.replace("-01", "-03").parse::<TraceParent>().unwrap().sampled);
}

#[test]
fn what_only_resembles_a_traceparent_is_refused() {
    for text in [
        "",
        "00",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bz-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ] {
        assert!(text.parse::<TraceParent>().is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_traceparent_is_read_back(trace_id in 1_u128.., span_id in 1_u64.., sampled: bool) {
        let trace = TraceParent { trace_id, span_id, sampled };
        prop_assert_eq!(trace.to_string().parse(), Ok(trace));
    }

    #[test]
    fn any_envelope_is_read_back(
        id: u128,
        subject in "\\PC{0,40}",
        version: i64,
        // The years 1 to 9999, as far as a calendar goes.
        micros in -62_135_596_800_000_000_i64..253_402_207_200_000_000,
        causation: Option<u128>,
        correlation in "\\PC{0,40}",
        staff in "\\PC{0,20}",
    ) {
        let envelope = Envelope {
            id: EventId::from_uuid(Uuid::from_u128(id)),
            subject,
            version,
            time: Timestamp::from_micros(micros),
            causation: causation.map(|id| EventId::from_uuid(Uuid::from_u128(id))),
            correlation,
            actor: Actor::Staff(staff),
            ..confirmed()
        };
        prop_assert_eq!(Envelope::from_json(&envelope.to_json()).unwrap(), envelope);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = Envelope::from_json(&text);
    }
}
