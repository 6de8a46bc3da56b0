//! JSON read strictly: what could be read in two ways is not read at all.
//!
//! serde_json alone lets the last of two equal keys win and takes NUL characters; here the text
//! becomes a [`Node`] first. Whether the node fits what an operation takes is for
//! [`fit`](super::fit) to say.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value. Objects keep the order of their keys, and have each key once.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Negative(i64),
    Natural(u64),
    Fraction(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Reads a whole text. Nesting deeper than 128 is refused by serde_json itself.
pub(super) fn parse(text: &[u8]) -> Result<Node, serde_json::Error> {
    serde_json::from_slice(text)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Negative(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Natural(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Fraction(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        without_nul(value).map(Node::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members: Vec<(String, Node)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            members.push((without_nul(key)?, map.next_value()?));
        }
        if has_repeated_key(&members) {
            return Err(A::Error::custom("a key is repeated"));
        }
        Ok(Node::Object(members))
    }
}

fn without_nul<E: Error>(text: String) -> Result<String, E> {
    if text.contains('\0') { Err(E::custom("a text has a NUL character")) } else { Ok(text) }
}

fn has_repeated_key(members: &[(String, Node)]) -> bool {
    if members.len() <= 8 {
        return (1..members.len()).any(|i| members[..i].iter().any(|m| m.0 == members[i].0));
    }
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        let many: String = (0..20).map(|n| format!("\"k{n}\":0,")).collect();
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"x":{"a":1,"\u0061":2}}"#,
            &format!("{{{many}\"k7\":1}}"),
            r#"{"a":"\u0000"}"#,
            r#"{"a\u0000":1}"#,
            r#""\ud800""#,
            r#""\udc00\ud800""#,
            "1e309",
            "-1e309",
            "NaN",
            "Infinity",
            "[1,]",
            "{'a':1}",
            "01",
            "1 2",
            "{} x",
            "",
            "\u{feff}{}",
            "\"a\nb\"",
            &deep(200),
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:.60}");
        }
        assert!(parse(b"\"\xff\"").is_err(), "not UTF-8");
        assert!(parse(deep(100).as_bytes()).is_ok());
        assert_eq!(parse(br#""\ud83d\ude00\\u0000""#).unwrap(), Node::Text("😀\\u0000".into()));
    }
}
