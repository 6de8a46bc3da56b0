//! JSON bodies.

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::Misfit;
use super::scalar::Scalar;
use crate::http::strict_json::Node;

impl Node {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Negative(value) => Unexpected::Signed(*value),
            Self::Natural(value) => Unexpected::Unsigned(*value),
            Self::Fraction(value) => Unexpected::Float(*value),
            Self::Text(value) => Unexpected::Str(value),
            Self::List(_) => Unexpected::Seq,
            Self::Object(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Negative(value) => visitor.visit_i64(value),
            Self::Natural(value) => visitor.visit_u64(value),
            Self::Fraction(value) => visitor.visit_f64(value),
            Self::Text(value) => visitor.visit_string(value),
            Self::List(nodes) => {
                let mut elements = Elements { index: 0, left: nodes.into_iter() };
                let value = visitor.visit_seq(&mut elements)?;
                match elements.left.len() {
                    0 => Ok(value),
                    more => Err(Misfit::custom(format_args!("has {more} elements too many"))),
                }
            }
            Self::Object(members) => {
                visitor.visit_map(Members { left: members.into_iter(), open: None })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self == Self::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    /// A struct is an object; serde would take a list of its fields in order as well.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if matches!(self, Self::Object(_)) {
            self.deserialize_any(visitor)
        } else {
            Err(Misfit::invalid_type(self.unexpected(), &"an object"))
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if let Self::Text(variant) = self {
            let text: StringDeserializer<Misfit> = variant.into_deserializer();
            return text.deserialize_enum(name, variants, visitor);
        }
        if let Self::Object(members) = &mut self
            && members.len() == 1
            && let Some((variant, node)) = members.pop()
        {
            return visitor.visit_enum(Variant { variant, node });
        }
        Err(Misfit::invalid_type(self.unexpected(), &"a text or an object with one key"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier
    }
}

struct Elements {
    index: usize,
    left: std::vec::IntoIter<Node>,
}

impl<'de> SeqAccess<'de> for &mut Elements {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Misfit> {
        let Some(node) = self.left.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(node).map(Some).map_err(|misfit| misfit.inside(index.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

struct Members {
    left: std::vec::IntoIter<(String, Node)>,
    open: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Members {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let Some((key, node)) = self.left.next() else { return Ok(None) };
        let read = seed.deserialize(Scalar(key.clone()))?;
        self.open = Some((key, node));
        Ok(Some(read))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let (key, node) = self.open.take().unwrap_or((String::new(), Node::Null));
        seed.deserialize(node).map_err(|misfit| misfit.inside(key))
    }
}

struct Variant {
    variant: String,
    node: Node,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Misfit;
    type Variant = VariantBody;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, VariantBody), Misfit> {
        let read = seed.deserialize(Scalar(self.variant.clone()))?;
        Ok((read, VariantBody { variant: self.variant, node: self.node }))
    }
}

struct VariantBody {
    variant: String,
    node: Node,
}

impl<'de> VariantAccess<'de> for VariantBody {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        if self.node == Node::Null {
            return Ok(());
        }
        Err(Misfit::invalid_type(self.node.unexpected(), &"null").inside(self.variant))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Misfit> {
        seed.deserialize(self.node).map_err(|misfit| misfit.inside(self.variant))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.node.deserialize_tuple(len, visitor).map_err(|misfit| misfit.inside(self.variant))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let inside = self.node.deserialize_struct("", fields, visitor);
        inside.map_err(|misfit| misfit.inside(self.variant))
    }
}
