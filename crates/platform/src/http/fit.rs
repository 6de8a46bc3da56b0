//! Fits what was sent into the type an operation takes, and says structurally what did not fit.
//!
//! A serde deserializer of our own, since the error types of the libraries tell an unknown field
//! from a wrong value only by their prose. Values sent are never repeated in a message: one of
//! them might be a password.

mod scalar;
mod tree;

use std::fmt;

use serde::de::{DeserializeOwned, Unexpected};

use super::problem::Problem;
use super::strict_json::Node;

/// Fits a JSON body into `T`.
pub(super) fn body<T: DeserializeOwned>(node: Node) -> Result<T, Misfit> {
    T::deserialize(node)
}

/// Fits query parameters, of which each name occurs once, into `T`.
pub(super) fn query<T: DeserializeOwned>(pairs: Vec<(String, String)>) -> Result<T, Misfit> {
    T::deserialize(scalar::Parameters(pairs))
}

/// What did not fit, and where.
#[derive(Debug)]
pub(super) struct Misfit {
    unknown: bool,
    /// From the inside out.
    path: Vec<String>,
    detail: String,
}

impl Misfit {
    fn new(detail: String) -> Self {
        Self { unknown: false, path: Vec::new(), detail }
    }

    fn inside(mut self, step: impl Into<String>) -> Self {
        self.path.push(step.into());
        self
    }

    fn pointer(&self) -> String {
        let step = |step: &String| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
        self.path.iter().rev().map(step).collect()
    }
}

impl From<Misfit> for Problem {
    fn from(misfit: Misfit) -> Self {
        let pointer = misfit.pointer();
        if misfit.unknown {
            Problem::unknown_field(pointer, misfit.detail)
        } else {
            Problem::validation(pointer, misfit.detail)
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pointer(), self.detail)
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(got: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::new(format!("is {}, and should be {expected}", kind(got)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::new(format!("should be {expected}"))
    }

    fn invalid_length(length: usize, expected: &dyn serde::de::Expected) -> Self {
        Self::new(format!("has {length} elements, and should be {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("should be one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let detail = match expected {
            [] => "is not known; this takes no fields".to_owned(),
            [..] => format!("is not known; this takes {}", expected.join(", ")),
        };
        Self { unknown: true, ..Self::new(detail) }.inside(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("is missing".to_owned()).inside(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("is given twice".to_owned()).inside(field)
    }
}

fn kind(got: Unexpected<'_>) -> &'static str {
    match got {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction or an exponent",
        Unexpected::Char(_) | Unexpected::Str(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "an object",
        Unexpected::Bytes(_)
        | Unexpected::NewtypeStruct
        | Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant
        | Unexpected::Other(_) => "something else",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use contracts::{OrderId, Sku, Timestamp};
    use serde::Deserialize;

    use super::super::strict_json;
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Basket {
        email: String,
        #[serde(default)]
        note: Option<String>,
        lines: Vec<Line>,
        #[serde(default)]
        delivery: Delivery,
        #[serde(default)]
        labels: BTreeMap<String, i64>,
        #[serde(default)]
        pair: Option<(i64, i64)>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        sku: Sku,
        quantity: u32,
    }

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Delivery {
        #[default]
        Standard,
        At(Timestamp),
        Point {
            number: i64,
        },
    }

    fn read(text: &str) -> Result<Basket, (bool, String, String)> {
        body(strict_json::parse(text.as_bytes()).unwrap())
            .map_err(|misfit: Misfit| (misfit.unknown, misfit.pointer(), misfit.detail))
    }

    #[test]
    fn what_fits_is_read() {
        let basket = read(
            r#"{"email":"a@b","lines":[{"sku":"A","quantity":2}],"delivery":{"point":{"number":-3}},
                "labels":{"x":1},"note":null,"pair":[1,2]}"#,
        )
        .unwrap();
        assert_eq!(basket.lines, [Line { sku: "A".parse().unwrap(), quantity: 2 }]);
        assert_eq!(basket.delivery, Delivery::Point { number: -3 });
        assert_eq!((basket.pair, basket.note), (Some((1, 2)), None));
        let at = read(r#"{"email":"","lines":[],"delivery":{"at":"2026-11-22T12:00:00Z"}}"#);
        assert!(matches!(at.unwrap().delivery, Delivery::At(_)));
        let plain = read(r#"{"email":"","lines":[],"delivery":"standard"}"#);
        assert_eq!(plain.unwrap().delivery, Delivery::Standard);
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_place() {
        for (text, unknown, pointer) in [
            (r#"{"email":"a","lines":[],"is_admin":true}"#, true, "/is_admin"),
            (r#"{"email":"a","lines":[],"a/b~c":true}"#, true, "/a~1b~0c"),
            (
                r#"{"email":"a","lines":[{"sku":"A","quantity":1,"price":1}]}"#,
                true,
                "/lines/0/price",
            ),
            (r#"{"lines":[]}"#, false, "/email"),
            (r#"{"email":1,"lines":[]}"#, false, "/email"),
            (r#"{"email":null,"lines":[]}"#, false, "/email"),
            (
                r#"{"email":"a","lines":[{"sku":"A","quantity":1},{"sku":"a b","quantity":1}]}"#,
                false,
                "/lines/1/sku",
            ),
            (r#"{"email":"a","lines":{}}"#, false, "/lines"),
            (r#"["a",null,[]]"#, false, ""),
            (r#"{"email":"a","lines":[],"labels":{"x":1.5}}"#, false, "/labels/x"),
            (r#"{"email":"a","lines":[],"delivery":"pigeon"}"#, false, "/delivery"),
            (r#"{"email":"a","lines":[],"delivery":{"at":"noon"}}"#, false, "/delivery/at"),
            (r#"{"email":"a","lines":[],"delivery":{"at":"x","point":1}}"#, false, "/delivery"),
            (r#"{"email":"a","lines":[],"pair":[1,2,3]}"#, false, "/pair"),
        ] {
            let (was_unknown, at, detail) = read(text).unwrap_err();
            assert_eq!((was_unknown, at.as_str()), (unknown, pointer), "{text}: {detail}");
        }
    }

    #[test]
    fn a_quantity_is_a_whole_number_and_nothing_that_looks_like_one() {
        for bad in ["-1", "1.5", "\"2\"", "4294967296", "9223372036854775808", "1e3", "true", "[1]"]
        {
            let text = format!(r#"{{"email":"a","lines":[{{"sku":"A","quantity":{bad}}}]}}"#);
            let (unknown, at, detail) = read(&text).unwrap_err();
            assert_eq!((unknown, at.as_str()), (false, "/lines/0/quantity"), "{bad}: {detail}");
        }
    }

    #[test]
    fn a_message_never_repeats_what_was_sent() {
        let (_, _, detail) = read(r#"{"email":"a","lines":"hunter2"}"#).unwrap_err();
        assert_eq!(detail, "is a text, and should be a sequence");
        let (_, _, detail) = read(r#"{"email":"a","lines":[],"delivery":"hunter2"}"#).unwrap_err();
        assert_eq!(detail, "should be one of standard, at, point");
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        order: Option<OrderId>,
        #[serde(default)]
        limit: Option<i64>,
        open: Option<bool>,
        text: Option<String>,
        delivery: Option<Delivery>,
    }

    fn ask(pairs: &[(&str, &str)]) -> Result<Wanted, (bool, String)> {
        query(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
            .map_err(|misfit: Misfit| (misfit.unknown, misfit.pointer()))
    }

    #[test]
    fn query_parameters_are_read_by_the_type_of_their_field() {
        let wanted =
            ask(&[("limit", "-7"), ("open", "true"), ("text", "12"), ("delivery", "standard")]);
        let expected = Wanted {
            order: None,
            limit: Some(-7),
            open: Some(true),
            text: Some("12".into()),
            delivery: Some(Delivery::Standard),
        };
        assert_eq!(wanted, Ok(expected));
        for (pair, unknown) in [
            (("limit", "x"), false),
            (("limit", "+1"), false),
            (("limit", ""), false),
            (("limit", "1e3"), false),
            (("open", "1"), false),
            (("order", "no-uuid"), false),
            (("delivery", "pigeon"), false),
            (("is_admin", "1"), true),
        ] {
            assert_eq!(ask(&[pair]), Err((unknown, format!("/{}", pair.0))), "{pair:?}");
        }
    }
}
